"""Control of the links of a lab that runs: changed, set down, up and back, by hand or by a schedule.

Nothing is torn down. A link that is down lets nothing pass, ARP neither, while the interfaces of
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
        """Return the link of this name, or the one between the hosts of this name either way round.

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
        directions = {link.a: "ab", link.b: "ba"}
        if sender is not None and sender not in directions:
            raise UnknownName(f"end of link {link.name}", sender, directions)
        chosen = DIRECTIONS if sender is None else (directions[sender],)
        return await self._shaper.change(link.name, directions=chosen, **values)

    async def set_down(self, name: str) -> LinkState:
        """Let nothing pass any more. Doing it twice changes nothing."""
        return await self._switch(self._shaper.states[self.find(name).name], down=True)

    async def set_up(self, name: str) -> LinkState:
        """Let packets pass again, shaped as before."""
        return await self._switch(self._shaper.states[self.find(name).name], down=False)

    async def reset(self, name: str) -> LinkState:
        """Make a link what it was when it was made."""
        link = self.find(name)
        initial = replace(self._shaper.initial(link.name), trim=self._shaper.states[link.name].trim)
        return await self._switch(initial, down=False)

    async def carry_out(self, change: Change) -> LinkState:
        """Carry out a change of a schedule."""
        if change.action == "set":
            return await self.change(change.link, dict(change.values), change.sender)
        action = {"down": self.set_down, "up": self.set_up, "reset": self.reset}[change.action]
        return await action(change.link)

    async def check(self) -> None:
        """Return when all links are as they were set, down or up.

        Raises:
            ShaperError: what is not.
        """
        await self._shaper.check()
        up = await self._bridges_up()
        for link in self._shaper.states.values():
            if (link.bridge in up) == link.down:
                raise ShaperError(
                    f"{link.name} was {_word(link.down)}, and is no longer: "
                    f"something else changed {link.bridge} of {self._namespace}; take the lab down"
                )

    async def _switch(self, link: LinkState, *, down: bool) -> LinkState:
        link = replace(link, down=down)
        await self._shaper.put(link)
        await netns.batch("ip", self._namespace, [f"link set {link.bridge} {_word(down)}"], self._run)
        if (link.bridge in await self._bridges_up()) == down:
            raise ShaperError(f"{link.name} could not be set {_word(down)}; take the lab down")
        return link

    async def _bridges_up(self) -> set[str]:
        argv = netns.inside(self._namespace, ["ip", "-j", "link", "show", "type", "bridge"])
        shown = json.loads((await self._run(argv)).stdout or "[]")
        return {entry["ifname"] for entry in shown if "UP" in entry["flags"]}


def _word(down: bool) -> str:
    return "down" if down else "up"
