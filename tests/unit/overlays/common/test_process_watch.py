"""Waiting for the end of daemons inside their hosts, without asking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lab.errors import OverlayError
from lab.hosts.host import Host, Result
from tests.unit.fakes import FakeHost, FakeOverlay


class Machine(FakeHost):
    """A host with one daemon, whose waiting command ends when the daemon does."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.dead = asyncio.Event()
        self.waits, self.forgotten = 0, 0

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", **more: Any) -> Result:
        if b"exec tail" in stdin:
            assert b"/run/lab/daemons/faked.pid" in stdin
            self.waits += 1
            await self.dead.wait()
        self.forgotten += b"watch-faked.pid" in stdin and b"start-stop-daemon --stop" in stdin
        return await super().run(argv, **more)

    async def alive(self, name: str) -> bool:
        return not self.dead.is_set()


class Daemons(FakeOverlay):
    def __init__(self, *hosts: Any) -> None:
        super().__init__()
        self.hosts = hosts

    def daemons(self, host: Host) -> Sequence[str]:
        return ("faked",)


async def test_the_daemon_that_ends_is_named_and_nothing_waits_any_longer() -> None:
    machines = Machine("AMS"), Machine("PRG")
    watching = asyncio.ensure_future(Daemons(*machines).watch())
    await asyncio.sleep(0.05)
    assert not watching.done()
    assert [m.waits for m in machines] == [1, 1]
    machines[1].dead.set()
    with pytest.raises(OverlayError, match="fake: faked on PRG no longer runs"):
        await asyncio.wait_for(watching, 5)
    assert [m.forgotten for m in machines] == [1, 1]


async def test_a_watch_that_is_given_up_takes_its_waiting_commands_along() -> None:
    machine = Machine("AMS")
    watching = asyncio.ensure_future(Daemons(machine).watch())
    await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert machine.forgotten == 1


async def test_an_overlay_without_daemons_is_watched_for_ever() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(FakeOverlay().watch(), 0.05)
