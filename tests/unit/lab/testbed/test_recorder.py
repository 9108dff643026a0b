"""What is recorded of real hosts around a sample, and the verdict that follows."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lab.errors import HostError
from lab.hosts.daemons import LOGS
from lab.hosts.facts import MARK
from lab.runs.verdict import verdict
from lab.testbed.recorder import SAMPLING_LOOP, SCRIPT, HostsRecorder, parse, timeline
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


class Recorded(Here):
    """A host with a program that writes down CPU time; `gone` from a moment on."""

    def __init__(self, name: str, log: str = "", gone: bool = False) -> None:
        super().__init__(name)
        self.log, self.gone, self.did = log, gone, list[Any]()

    async def start(self, name: str, argv: Any, **_: Any) -> None:
        self.did.append((name, list(argv)))
        if self.gone:
            raise HostError("gone")

    async def stop(self, name: str) -> None:
        self.did.append(name)
        if self.gone:
            raise HostError("gone")

    async def get(self, path: str) -> bytes:
        self.did.append(path)
        return self.log.encode()

    async def run(self, argv: Any, **more: Any) -> Any:
        self.did += [list(argv)] if argv[0] == "rm" else []
        return await super().run(["true"] if argv[0] == "rm" else argv, **more)


async def test_cpu_over_time_is_written_down_by_a_program_that_goes_again() -> None:
    lines = "10.0 cpu 0 0 0 1000 0 0 0 0\n10.5 cpu 25 0 0 1025 0 0 0 0\n"
    ams, prg = Recorded("AMS", lines), Recorded("PRG", gone=True)
    recorder = HostsRecorder({"AMS": ams, "PRG": prg}, interval=0.5)
    await recorder.start()
    record = await recorder.stop()
    file = f"{LOGS}/timeline.log"
    assert ams.did == [
        ("timeline", ["sh", "-c", SAMPLING_LOOP.format(interval=0.5)]),
        "timeline",
        file,
        ["rm", "-f", file],
    ]
    assert prg.did[1:] == ["timeline"]
    assert record["timeline"] == timeline({"AMS": lines, "PRG": ""})
    assert record.keys() >= {"seconds", "hosts"}


def test_the_program_writes_uptime_and_processor_time_line_by_line() -> None:
    script = SAMPLING_LOOP.format(interval=0.01)
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as loop:
        assert loop.stdout
        lines = [loop.stdout.readline() for _ in range(3)]
        loop.kill()
    found = timeline({"here": "".join(lines)})
    assert len(found["at_s"]) == len(found["hosts"]["here"]) == 2
    assert all(line.split()[1] == "cpu" for line in lines)


def test_of_pressure_and_drops_what_the_kernel_tells_is_read() -> None:
    some = "some avg10=0.00 avg60=0.00 avg300=0.00 total=250000\n"
    found = parse(
        f"cpu 1 0 1 8 0 0 0 0\n{MARK}\n{some}{MARK}\n{MARK}\n00000000 00000002 0\n00000000 0000000a 0\n"
    )
    assert found.pressure.keys() == {"pressure"}
    assert found.dropped == 12


async def test_without_a_host_that_answers_nothing_is_told() -> None:
    recorder = HostsRecorder({}, interval=0.5)
    await recorder.start()
    assert await recorder.stop() == {"seconds": 0.0, "hosts": {}, "timeline": {"at_s": [], "hosts": {}}}


async def test_the_longest_time_of_all_hosts_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = HostsRecorder({"AMS": Here("AMS"), "PRG": Here("PRG")})
    await recorder.start()
    times = iter([1.0, 4.0])
    monkeypatch.setattr(
        "lab.testbed.recorder._row", lambda before, after: {"seconds": next(times), "busy": 0.5}
    )
    assert await recorder.stop() == {"seconds": 4.0, "hosts": {"AMS": {"busy": 0.5}, "PRG": {"busy": 0.5}}}


def test_lines_that_were_cut_are_left_out_and_hosts_are_compared_as_long_as_all_tell() -> None:
    def line(at: float, used: int) -> str:
        return f"{at} cpu {used} 1 2 0 5 0 0 0\n"

    ams = line(10.0, 0) + line(11.0, 100) + line(12.0, 300) + "13.0 cpu 1 2\n"
    prg = line(70.0, 0) + line(71.0, 50)
    assert timeline({"AMS": ams, "PRG": prg}) == {"at_s": [1.0], "hosts": {"AMS": [1.0], "PRG": [0.5]}}
    assert timeline({"AMS": ams})["hosts"] == {"AMS": [1.0, 2.0]}
    assert timeline({"AMS": ams, "PRG": ""})["hosts"] == {"AMS": [], "PRG": []}
    assert timeline({}) == {"at_s": [], "hosts": {}}


async def test_a_host_is_asked_once_for_all_its_counters() -> None:
    class Asked(Here):
        async def run(self, argv: Any, **options: Any) -> Any:
            asked.append((list(argv), options))
            return await super().run(argv, **options)

    asked: list[Any] = []
    await HostsRecorder({"AMS": Asked("AMS")}).start()
    assert asked == [(["sh"], {"stdin": SCRIPT.encode(), "timeout": 20})]
