"""What is recorded of the machine, its hosts and its links around a sample."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import pytest

from lab.measure import cgroups, clocks, cpu_saturation, link_counters, machine
from lab.measure.machine import MachineRecorder, Snapshot, shares

V1 = """\
9:name=systemd:/docker/0123abc
4:memory:/docker/0123abc
2:cpuacct:/docker/0123abc/init
1:cpu:/docker/0123abc/init
0::/docker/0123abc
"""


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


def test_groups_of_a_container_on_v1_are_those_above_its_daemon(tmp_path: Path) -> None:
    for controller in ("cpu", "cpuacct"):
        (tmp_path / controller / "docker/0123abc/init").mkdir(parents=True)
    (tmp_path / "cpu/docker/0123abc/cpu.stat").write_text("nr_periods 5\nthrottled_time 250000000\n")
    (tmp_path / "cpuacct/docker/0123abc/cpuacct.usage").write_text("1500000000\n")
    found = cgroups.folders(V1, "0123abc", tmp_path)
    assert {f.relative_to(tmp_path).as_posix() for f in found} == {
        "cpu/docker/0123abc",
        "cpuacct/docker/0123abc",
    }
    assert cgroups.read_cpu(found) == cgroups.HostCpu(1.5, 0.25)


def test_groups_of_a_container_on_v2(tmp_path: Path) -> None:
    scope = tmp_path / "system.slice/docker-0123abc.scope"
    scope.mkdir(parents=True)
    (scope / "cpu.stat").write_text("usage_usec 2500000\nnr_throttled 3\nthrottled_usec 750000\n")
    found = cgroups.folders("0::/system.slice/docker-0123abc.scope/init\n", "0123abc", tmp_path)
    assert found == (scope,)
    assert cgroups.read_cpu(found) == cgroups.HostCpu(2.5, 0.75)
    # and with pressure kept, each host has its own
    some = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1250000\n"
    (scope / "cpu.pressure").write_text(some + some.replace("some", "full"))
    assert cgroups.read_cpu(found) == cgroups.HostCpu(2.5, 0.75, 1.25)


def test_a_group_that_is_gone_counts_as_no_time(tmp_path: Path) -> None:
    assert cgroups.folders(V1, "0123abc", tmp_path) == ()
    assert cgroups.read_cpu((tmp_path / "gone",)) == cgroups.HostCpu(0, 0)


def test_hosts_have_what_was_added() -> None:
    before, after = cgroups.HostCpu(1.0, 0.5), cgroups.HostCpu(3.25, 0.75)
    assert after.since(before) == {"cpu_s": 2.25, "throttled_s": 0.25}
    waited = cgroups.HostCpu(3.25, 0.75, 2.0).since(cgroups.HostCpu(1.0, 0.5, 0.5))
    assert waited == {"cpu_s": 2.25, "throttled_s": 0.25, "waiting_s": 1.5}


@dataclass(frozen=True)
class Count:
    packets: int = 0
    bytes: int = 0
    overflow: int = 0
    unexpected: int = 0
    late_counts: dict[float, int] = field(default_factory=dict)
    late_ms: float = 0.0


def test_links_have_what_was_added_and_idle_ones_are_left_out() -> None:
    before = {"AMS-PRG": {"ab": Count(10, 1000, 1), "ba": Count(5, 50)}}
    after = {"AMS-PRG": {"ab": Count(110, 9000, 4, 2), "ba": Count(5, 50)}, "new": {"ab": Count(1, 60)}}
    assert link_counters.difference(before, after) == {
        "AMS-PRG ab": {"packets": 100, "bytes": 8000, "overflow": 3, "unasked": 2},
        "new ab": {"packets": 1, "bytes": 60, "overflow": 0, "unasked": 0},
    }


def test_lateness_is_that_of_the_sample_alone() -> None:
    # given a link that was late before, and is not during the sample
    before = {"l": {"ab": Count(1000, 1, late_counts={0.1: 0, 1.0: 0, inf: 1000})}}
    after = {"l": {"ab": Count(1100, 2, late_counts={0.1: 98, 1.0: 2, inf: 1000})}}
    assert link_counters.difference(before, after)["l ab"]["late_p99_ms"] == 1.0
    # and one that is beyond the last class during it
    worse = {"l": {"ab": Count(1100, 2, late_counts={0.1: 98, 1.0: 0, inf: 1002})}}
    assert link_counters.difference(before, worse)["l ab"]["late_p99_ms"] is None


def test_one_packet_that_was_kept_shows_in_the_mean_and_not_in_the_slowest_hundredth() -> None:
    before = {"l": {"ab": Count(1000, 1, late_counts={0.1: 1000, inf: 0}, late_ms=20.0)}}
    after = {"l": {"ab": Count(1115, 2, late_counts={0.1: 1114, inf: 1}, late_ms=135.0)}}
    late = link_counters.difference(before, after)["l ab"]
    assert (late["late_p99_ms"], late["late_mean_ms"]) == (0.1, 1.0)
    # and of fewer packets than a hundred there is no slowest hundredth
    few = {"l": {"ab": Count(1020, 2, late_counts={0.1: 1019, inf: 1}, late_ms=24.0)}}
    assert link_counters.difference(before, few)["l ab"]["late_mean_ms"] == 0.2
    assert "late_p99_ms" not in link_counters.difference(before, few)["l ab"]


def test_a_timeline_has_the_cpus_in_use_between_readings() -> None:
    points = [(10.0, {"AMS": 1.0}), (10.5, {"AMS": 1.25}), (11.5, {"AMS": 2.25})]
    assert shares(points) == {"at_s": [0.5, 1.5], "hosts": {"AMS": [0.5, 1.0]}}
    assert shares([]) == {"at_s": [], "hosts": {}}


async def test_a_machine_that_was_told_an_interval_keeps_a_timeline(tmp_path: Path) -> None:
    group = tmp_path / "AMS"
    group.mkdir()
    (group / "cpu.stat").write_text("usage_usec 1000000\n")
    recorder = MachineRecorder({"AMS": (group,)}, interval=0.01)
    await recorder.start()
    end = time.monotonic() + 5
    while time.monotonic() < end and len(recorder._timeline._points) < 3:  # type: ignore[union-attr]
        await asyncio.sleep(0.005)
    record = (await recorder.stop())["timeline"]
    assert len(record["at_s"]) >= 2
    assert set(record["hosts"]["AMS"]) == {0.0}, "nothing was used"
    assert "timeline" not in await _stopped(MachineRecorder({"AMS": (group,)}))


async def _stopped(recorder: MachineRecorder) -> dict[str, Any]:
    await recorder.start()
    return await recorder.stop()


def test_clocks_that_went_on_evenly() -> None:
    found = clocks.difference(clocks.read(), clocks.read())
    assert abs(found["set_ms"]) < 1
    assert abs(found["slept_ms"]) < 1


def test_a_clock_that_was_set_a_machine_that_slept_and_time_that_was_bent() -> None:
    before = clocks.Clocks(wall=1e9, monotonic=100.0, raw=100.0, boot=100.0)
    after = clocks.Clocks(wall=1e9 + 2 - 0.5, monotonic=102.0, raw=101.9, boot=107.0)
    assert clocks.difference(before, after) == {"set_ms": -500.0, "slept_ms": 5000.0, "bent": 0.05263}


def test_time_is_not_bent_by_less_than_reading_the_clocks_took() -> None:
    # given a sample of 14 ms on a machine without a free processor
    before = clocks.Clocks(wall=1e9, monotonic=100.0, raw=100.0, boot=100.0, within=1e-4)
    after = clocks.Clocks(wall=1e9 + 0.014, monotonic=100.014, raw=100.01386, boot=100.014, within=5e-5)
    assert clocks.difference(before, after)["bent"] == 0.0
    # and one of two seconds, bent by more than that
    later = clocks.Clocks(wall=1e9 + 2, monotonic=102.0, raw=101.98, boot=102.0, within=5e-5)
    assert clocks.difference(before, later)["bent"] == 0.0101


def test_a_second_in_which_no_cpu_was_left_shows_though_the_mean_is_low() -> None:
    # given four windows of a hundred ticks, in the second of which hardly one was idle
    idle = [0, 60, 64, 124, 184]
    times = [0.0, 0.1, 0.2, 0.3, 0.4]
    ticks = [{"user": 100 * n - i, "idle": i, "iowait": 0} for n, i in enumerate(idle)]
    readings = list(zip(times, ticks, strict=True))
    assert cpu_saturation.full(readings) == pytest.approx(0.25)
    assert cpu_saturation.used(readings[0][1], readings[-1][1]) < 0.6
    assert cpu_saturation.full(readings[:1]) == 0.0
    # a window that came late, as on a starved machine, counts for all of its time
    late = [(t if n < 2 else t + 0.4, found) for n, (t, found) in enumerate(readings)]
    assert cpu_saturation.full(late) == pytest.approx(0.5 / 0.8, abs=1e-4)


def test_the_pulse_ends_with_the_sample() -> None:
    read = iter({"user": 100 * n, "idle": 0} for n in range(1000))
    beat = cpu_saturation.Pulse(lambda: next(read))
    assert beat.stop() in (0.0, 1.0)
    assert not beat._thread.is_alive()
