"""What every kind of host does in the same way."""

from __future__ import annotations

import asyncio

import pytest

from lab.errors import HostTimeout
from lab.hosts.container import ContainerHost
from lab.hosts.host import Result


async def test_the_far_ends_deadline_is_a_timeout_here() -> None:
    async def slow(argv, **_):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.3)
        return Result(tuple(argv), 124, "", "", 0.3)

    host = ContainerHost("AMS", "AMS", (), "c", slow)
    with pytest.raises(HostTimeout, match=r"AMS: 'sleep 9' had not ended after 0.2 s"):
        await host.run(["sleep", "9"], timeout=0.2)
