"""A port that circuits share: one that cannot be limited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lab.errors import MeasureError
from lab.hosts.host import Result
from lab.measure.shared_port import shared_port
from tests.unit.fakes import FakeHost


async def test_a_port_that_cannot_be_limited_is_no_sample_and_is_freed() -> None:
    class Unable(FakeHost):
        async def run(self, argv: Sequence[str], **more: Any) -> Result:
            self.ran.append(tuple(argv))
            status = int(b"tbf" in (more.get("stdin") or b""))
            return Result(tuple(argv), status, "", "Error: Specified qdisc kind is unknown.\n", 0.0)

    host = Unable("BRA")
    with pytest.raises(MeasureError, match="cannot hold BRA to 10 Mbit/s; it said 'Error: Specified"):
        async with shared_port(host, ["eth1"], 10):
            raise AssertionError("nothing is measured")
    assert len(host.ran) == 2, "set, and freed again"
