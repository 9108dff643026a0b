"""Links of a lab that runs: changed, cut, joined and set back, by hand or by a schedule.

Nothing is torn down. A link that is cut lets nothing pass, ARP neither, while the interfaces of
its hosts stay up with their addresses, as those of machines do whose circuit fails far away;
what was under way arrives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab.emulation.links import netns
from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.emulation.links.shaper import Shaper
from lab.errors import ShaperError, UnknownName
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.topology import LinkSpec
from lab.topology.schedule import Change


class Links:
    """The links of one lab, while it is up.

    Args:
        lab_namespace: of the lab.
        shaper: its shaper.
        links: as they were built.
        run: what runs this machine's commands.
    """

    def __init__(
        self, lab_namespace: str, shaper: Shaper, links: Sequence[LinkSpec], run: RunCommand = command.run
    ) -> None:
        self._namespace, self._shaper, self._run = lab_namespace, shaper, run
        self._links = {link.name: link for link in links}

    def find(self, name: str) -> LinkSpec:
        """The link of this name, or between the hosts of this name either way round.

        Raises:
            UnknownName: there is none.
        """
        for link in self._links.values():
            if name in (link.name, f"{link.a}-{link.b}", f"{link.b}-{link.a}"):
                return link
        raise UnknownName("link", name, self._links)

    async def change(self, name: str, values: Mapping[str, Any], sender: str | None = None) -> LinkState:
        """Set parameters of a link, in the direction into which a host sends, or in both.

        Raises:
            UnknownName: there is no such link, host or parameter.
            ShaperError: it cannot be so, or does not read back.
        """
        link = self.find(name)
        return await self._shaper.change(link.name, directions=_directions(link, sender), **values)

    async def cut(self, name: str) -> LinkState:
        """Let nothing pass any more. Doing it twice changes nothing."""
        return await self._switch(self._shaper.lines[self.find(name).name], down=True)

    async def join(self, name: str) -> LinkState:
        """Let packets pass again, shaped as before."""
        return await self._switch(self._shaper.lines[self.find(name).name], down=False)

    async def reset(self, name: str) -> LinkState:
        """Make a link what it was when it was made."""
        link = self.find(name)
        line = replace(self._shaper.first(link.name), trim=self._shaper.lines[link.name].trim)
        return await self._switch(line, down=False)

    async def do(self, change: Change) -> LinkState:
        """What a schedule says."""
        if change.action == "set":
            return await self.change(change.link, dict(change.values), change.sender)
        action = {"down": self.cut, "up": self.join, "reset": self.reset}[change.action]
        return await action(change.link)

    async def check(self) -> None:
        """Return when all links are as they were set, cut or open.

        Raises:
            ShaperError: what is not.
        """
        await self._shaper.check()
        lines = self._shaper.lines
        up = await self._up()
        for line in lines.values():
            if (line.bridge in up) == line.down:
                raise ShaperError(
                    f"{line.name} was {'cut' if line.down else 'open'}, and is no longer: "
                    f"something else changed {line.bridge} of {self._namespace}; take the lab down"
                )

    async def _switch(self, line: LinkState, *, down: bool) -> LinkState:
        line = replace(line, down=down)
        await self._shaper.put(line)
        state = f"link set {line.bridge} {'down' if down else 'up'}"
        await self._run(netns.ip_batch(self._namespace), stdin=netns.script([state]))
        if (line.bridge in await self._up()) == down:
            raise ShaperError(f"{line.name} could not be {'cut' if down else 'joined'}; take the lab down")
        return line

    async def _up(self) -> set[str]:
        """The bridges that are up."""
        argv = netns.inside(self._namespace, ["ip", "-j", "link", "show", "type", "bridge"])
        shown = json.loads((await self._run(argv)).stdout or "[]")
        return {entry["ifname"] for entry in shown if "UP" in entry["flags"]}


def _directions(link: LinkSpec, sender: str | None) -> Sequence[str]:
    if sender is None:
        return DIRECTIONS
    if sender not in (link.a, link.b):
        raise UnknownName(f"end of link {link.name}", sender, (link.a, link.b))
    return ("ab",) if sender == link.a else ("ba",)
