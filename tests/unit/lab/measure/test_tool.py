"""Running a measuring tool, on endpoints that answer from a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lab.errors import HostTimeout, MeasureError
from lab.hosts.host import Endpoint, Result
from lab.measure import tool
from tests.unit.fakes import FakeHost
from tests.unit.lab.measure.scripted import endpoint, ran


async def test_a_tool_has_its_deadline_inside_the_endpoint() -> None:
    one = endpoint(lambda argv: (0, "out"))
    assert (await tool.execute(one, ["netperf"], 1.0)).stdout == "out"
    assert ran(one) == ["docker exec c timeout -k 2 21 netperf"]


async def test_a_tool_that_is_not_there_is_named_with_the_remedy() -> None:
    class Lacking(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            words = "timeout: failed to run command 'netperf': No such file or directory\n"
            return Result(tuple(argv), 127, "", words, 0.0)

    one = Endpoint(Lacking("AMS"), "c", "192.0.2.1")  # type: ignore[arg-type]
    with pytest.raises(MeasureError, match=r"netperf: cannot be run on AMS/c: .*No such file") as caught:
        await tool.execute(one, ["netperf", "-l", "1"], 1.0)
    assert "lab/gtsperf" in str(caught.value)
    assert caught.value.raw.startswith("timeout: failed to run")


async def test_a_tool_that_hangs_is_named_with_what_it_printed() -> None:
    class Hanging(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            return Result(tuple(argv), 124, "half of it", "", 21.0)

    class Lost(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            raise HostTimeout("AMS: no end")

    for kind, raw in ((Hanging, "half of it\n"), (Lost, "")):
        one = Endpoint(kind("AMS"), "c", "192.0.2.1")  # type: ignore[arg-type]
        with pytest.raises(MeasureError, match="iperf3: had not ended after 21 s on AMS/c") as caught:
            await tool.execute(one, ["iperf3", "-c"], 1.0)
        assert caught.value.raw == raw
        assert caught.value.argv == ("iperf3", "-c")


def test_text_of_a_failure_has_both_streams() -> None:
    assert tool.output(Result((), 1, "out\n", "err\n", 0)) == "out\nerr\n"
