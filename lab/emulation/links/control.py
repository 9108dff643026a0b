"""Control of the links of a running lab: change, set down, set up, reset; by hand or by a schedule.

No link is removed. A link that is down passes nothing, not even ARP. The interfaces of its hosts
stay up and keep their addresses, as on machines whose circuit fails far away. Packets that were
under way still arrive.
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
        lab_namespace: the name of the lab's network namespace.
        shaper: the lab's shaper.
        links: the links as they were built.
        run: runs this machine's commands.
    """

    def __init__(
        self, lab_namespace: str, shaper: Shaper, links: Sequence[LinkSpec], run: RunCommand = command.run
    ) -> None:
        self._namespace, self._shaper, self._run = lab_namespace, shaper, run
        self._links = {link.name: link for link in links}

    def find(self, name: str) -> LinkSpec:
        """Return the link of this name; ``A-B`` and ``B-A`` both name the link between hosts A and B.

        Raises:
            UnknownName: there is none.
        """
        for link in self._links.values():
            if name in (link.name, f"{link.a}-{link.b}", f"{link.b}-{link.a}"):
                return link
        raise UnknownName("link", name, self._links)

    async def change(self, name: str, values: Mapping[str, Any], sender: str | None = None) -> LinkState:
        """Set parameters of a link in the direction in which `sender` sends, or in both; return its state.

        Raises:
            UnknownName: there is no such link, host or parameter.
            ShaperError: the values cannot be imposed, or do not read back.
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
        """Give a link the parameters with which it was made, and set it up."""
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
        """Check that all links are shaped as they were set, and down or up as they were set.

        Raises:
            ShaperError: names what is not.
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
