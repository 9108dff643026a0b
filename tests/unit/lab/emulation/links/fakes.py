"""Links that tests of several modules use: a link, a shaper that only stores, a kernel with one bridge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.emulation.links.link import DIRECTIONS, LinkState, Wiring
from lab.emulation.links.store import LinkStore
from lab.hosts.host import Result
from lab.topology import LinkSpec

SPEC = LinkSpec(
    name="AMS-PRG",
    number=3,
    a="AMS",
    b="PRG",
    rtt=21.75,
    rate=200.0,
    jitter=0.0,
    loss=0.5,
    mtu=1500,
    subnet="192.168.3.0/24",
    address_a="192.168.3.1",
    address_b="192.168.3.2",
    interface_a="eth1",
    interface_b="eth2",
)


class StoredShaper:
    """Keeps what is asked, as the real ones do."""

    def __init__(self, folder: Path, spec: LinkSpec) -> None:
        self.asked = LinkStore(folder)
        self.asked.save({spec.name: Wiring(spec, "a", "b").state})

    @property
    def states(self) -> Any:
        return self.asked.states

    def initial(self, link: str) -> LinkState:
        return self.asked.find(link, initial=True)

    async def change(self, link: str, *, directions: Sequence[str] = DIRECTIONS, **params: Any) -> LinkState:
        line = self.asked.find(link).changed(tuple(directions), **params)
        await self.put(line)
        return line

    async def put(self, line: LinkState) -> None:
        self.asked.save({**self.states, line.name: line})

    async def check(self) -> None: ...


class Kernel:
    """One bridge that goes up and down."""

    def __init__(self) -> None:
        self.up, self.stuck, self.silent = True, False, False
        self.ran = list[list[str]]()

    async def __call__(self, argv: Any, *, stdin: bytes = b"", **_: Any) -> Result:
        self.ran.append(list(argv))
        if stdin and not self.stuck:
            assert stdin.startswith(b"link set br3 ")
            self.up = stdin.endswith(b"up\n")
        shown = json.dumps([{"ifname": "br3", "flags": ["BROADCAST", *(["UP"] if self.up else [])]}])
        return Result(tuple(argv), 0, "" if self.silent else shown, "", 0.0)
