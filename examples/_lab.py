"""What the examples share: a lab that is up for as long as a `with` block, for code that waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, TypeVar

from lab.hosts.base import Result
from lab.live.session import Session
from lab.topology import Topology

T = TypeVar("T")


class End:
    """An endpoint, for callers that wait."""

    def __init__(self, lab: Lab, end: Any) -> None:
        self._lab, self._end, self.address = lab, end, end.address

    def run(self, argv: Sequence[str], *, timeout: float = 60.0, check: bool = True) -> Result:
        """Run a command to its end."""
        return self._lab.wait(self._end.run(argv, timeout=timeout, check=check))

    def start(self, argv: Sequence[str]) -> None:
        """Start a command and leave it running."""
        self._lab.wait(self._end.start(argv))


class Link:
    """A link that runs."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self.name = lab, name

    def change(self, **params: Any) -> None:
        """Shape it anew while it runs: `rtt`, `delay` (ms), `rate` (Mbit/s), `loss` (percent)."""
        self._lab.wait(self._lab.session.lab.change_link(self.name, **params))


class Lab:
    """Hosts, links, and an endpoint per host on one overlay; all of it goes with the block."""

    def __init__(self, topology: Topology, overlay: str) -> None:
        self.topology, self._overlay = topology, overlay
        self._loop = asyncio.new_event_loop()

    def up(self) -> Lab:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.session = self.wait(Session.up(self.topology, [self._overlay]))
        return self

    def down(self) -> None:
        self.wait(self.session.lab.down())

    def __enter__(self) -> Lab:
        return self.up()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something of the lab's."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def endpoints(self) -> dict[str, End]:
        """The endpoints, by host."""
        return {name: End(self, end) for name, end in self.session.endpoints(self._overlay).items()}

    def link(self, a: str, b: str) -> Link:
        """The link between two hosts."""
        return Link(self, self.topology.link(a, b).name)
