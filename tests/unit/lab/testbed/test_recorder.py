"""What is recorded of real hosts around a sample, and the verdict that follows."""

from __future__ import annotations

from typing import Any

from lab.errors import HostError
from lab.runs.verdict import verdict
from lab.testbed.recorder import HostsRecorder, parse, timeline
from tests.unit.here import Here


async def test_a_host_is_recorded() -> None:
    recorder = HostsRecorder({"AMS": Here("AMS")})
    await recorder.start()
    record = await recorder.stop()
    assert record["seconds"] > 0
    assert 0 <= record["hosts"]["AMS"]["busy"] <= 1
    assert "clock" not in record["hosts"]["AMS"], "this machine's clock is not the host's"
    assert "timeline" not in record


async def test_a_host_that_is_gone_is_left_out() -> None:
    class Gone(Here):
        async def run(self, *_: Any, **__: Any) -> Any:
            raise HostError("AMS is gone")

    recorder = HostsRecorder({"AMS": Gone("AMS"), "PRG": Here("PRG")})
    await recorder.start()
    assert (await recorder.stop())["hosts"].keys() == {"PRG"}


def test_a_kernel_without_pressure_tells_none() -> None:
    mark = "=====lab"
    found = parse(f"cpu 1 0 1 8 0 0 0 0\n{mark}\n{mark}\n{mark}\n00000000 00000002 0\n")
    assert found.pressure == {}
    assert found.dropped == 2


def test_the_cpus_in_use_over_time_are_those_of_each_host() -> None:
    ams = "10.0 cpu 0 0 0 1000 0 0 0 0\n10.5 cpu 25 0 0 1025 0 0 0 0\n11.5 cpu 125 0 0 1025 0 0 0 0\n"
    prg = "50.0 cpu 0 0 0 0 0 0 0 0\n50.5 cpu 0 0 0 50 0 0 0 0\n"
    assert timeline({"AMS": ams, "PRG": prg}) == {"at_s": [0.5], "hosts": {"AMS": [0.5], "PRG": [0.0]}}
    assert timeline({"AMS": ""}) == {"at_s": [], "hosts": {"AMS": []}}


def test_a_busy_host_is_part_of_what_is_measured_and_its_neighbours_are_not() -> None:
    busy = verdict(2.0, {"hosts": {"AMS": {"busy": 0.99, "steal": 0.0}}}, {})
    assert (busy.state, busy.reasons) == ("host-bound", ["the CPUs of AMS were 99% busy"])
    stolen = verdict(2.0, {"hosts": {"AMS": {"busy": 0.5, "steal": 0.2}}}, {})
    assert stolen.state == "emulator-bound"
    assert stolen.reasons == ["20% of the CPU time of AMS was taken by its machine's neighbours"]
