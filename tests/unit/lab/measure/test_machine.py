"""What is recorded of the machine and its hosts around a sample."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from lab.measure import clocks, machine
from lab.measure.machine import MachineRecorder, Snapshot, cpu_shares


def test_shares_of_cpu_time() -> None:
    clock = clocks.Clocks(1e9, 10.0, 10.0, 10.0)
    stat = "cpu  100 0 100 800 0 0 0 0 7 7\ncpu0 1\n"
    before = Snapshot(10.0, machine.parse_stat(stat), {"pressure": 1_000_000}, {}, 5, clock)
    stat = "cpu  140 10 130 900 10 0 0 10 9 9\n"
    clock = clocks.Clocks(1e9 + 2, 12.0, 12.0, 12.0)
    after = Snapshot(12.0, machine.parse_stat(stat), {"pressure": 1_500_000}, {}, 8, clock)
    assert machine.difference(before, after) == {
        "seconds": 2.0,
        "busy": 0.45,
        "nice": 0.05,
        "steal": 0.05,
        "pressure": 0.25,
        "dropped": 3,
        "clock": {"set_ms": 0.0, "slept_ms": 0.0, "bent": 0.0},
        "hosts": {},
    }


async def test_a_kernel_without_pressure_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  1 0 1 8 0 0 0 0\n")
    record = await _stopped(MachineRecorder(proc=tmp_path))
    assert "pressure" not in record
    assert record["dropped"] == 0


async def test_pressure_is_of_cpu_memory_and_disk(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  1 0 1 8 0 0 0 0\n")
    (tmp_path / "pressure").mkdir()
    for kind in ("cpu", "memory", "io"):
        words = "some avg10=0.00 avg60=0.00 avg300=0.00 total=100\nfull avg10=0.00 total=7\n"
        (tmp_path / "pressure" / kind).write_text(words)
    record = await _stopped(MachineRecorder(proc=tmp_path))
    assert {key: record[key] for key in record if key.startswith("pressure")} == {
        "pressure": 0.0,
        "pressure_memory": 0.0,
        "pressure_io": 0.0,
    }


def test_packets_that_full_backlogs_dropped() -> None:
    assert machine.parse_dropped("0000a2f1 00000000 00000003\n00001111 0000001f 00000000\n") == 31


async def test_this_machine_can_be_recorded() -> None:
    recorder = MachineRecorder()
    await recorder.start()
    sum(range(100_000))
    found = await recorder.stop()
    assert 0 <= found["busy"] <= 1
    assert found["seconds"] > 0


def test_a_timeline_has_the_cpus_in_use_between_readings() -> None:
    points = [(10.0, {"AMS": 1.0}), (10.5, {"AMS": 1.25}), (11.5, {"AMS": 2.25})]
    assert cpu_shares(points) == {"at_s": [0.5, 1.5], "hosts": {"AMS": [0.5, 1.0]}}
    assert cpu_shares([]) == {"at_s": [], "hosts": {}}


async def test_a_machine_that_was_told_an_interval_keeps_a_timeline(tmp_path: Path) -> None:
    group = tmp_path / "AMS"
    group.mkdir()
    (group / "cpu.stat").write_text("usage_usec 1000000\n")
    recorder = MachineRecorder({"AMS": (group,)}, interval=0.01)
    await recorder.start()
    end = time.monotonic() + 5
    while time.monotonic() < end and len(recorder._cpu_times._readings) < 3:  # type: ignore[union-attr]
        await asyncio.sleep(0.005)
    record = (await recorder.stop())["timeline"]
    assert len(record["at_s"]) >= 2
    assert set(record["hosts"]["AMS"]) == {0.0}, "nothing was used"
    assert "timeline" not in await _stopped(MachineRecorder({"AMS": (group,)}))


async def _stopped(recorder: MachineRecorder) -> dict[str, Any]:
    await recorder.start()
    return await recorder.stop()


def test_sampling_ends_with_the_sample() -> None:
    read = iter({"user": 100 * n, "idle": 0} for n in range(1000))
    sampler = machine.Poller(lambda: next(read), 0.001)
    readings = sampler.stop()
    assert readings[0][1] == {"user": 0, "idle": 0}
    assert not sampler._thread.is_alive()
