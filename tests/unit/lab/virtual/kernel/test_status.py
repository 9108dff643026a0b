"""What a kernel in virtual time says it is doing, and for how long its time has stood still."""

from __future__ import annotations

import os
import subprocess

import pytest

from lab.virtual.kernel import status
from lab.virtual.kernel.status import Standstill, Status

LINE = "lab_time: 50123008 ns, process 214 (weaver) on AMS\n"


def test_an_answer_is_read_also_behind_other_output() -> None:
    expected = Status(50123008, 214, "weaver", "AMS")
    assert status.parse(LINE) == expected
    assert status.parse(f"half a line {LINE}") == expected
    assert str(expected) == "weaver (process 214) on AMS"


def test_names_with_blanks_and_brackets_are_read_whole() -> None:
    found = status.parse("lab_time: 7 ns, process 9 (a (b) c) on host\n")
    assert found is not None
    assert found.name == "a (b) c"


def test_an_idle_kernel_runs_nothing_and_other_lines_say_nothing() -> None:
    idle = status.parse("lab_time: 7 ns, process 0 (swapper) on (none)\n")
    assert str(idle) == "nothing"
    assert status.parse("iperf3: done") is None


def test_time_stands_still_while_the_same_process_runs_at_the_same_moment() -> None:
    watch, looping = Standstill(), Status(7, 9, "loop", "AMS")
    assert watch.observe(looping, 100.0) == 0
    assert watch.observe(looping, 130.0) == 30
    assert watch.observe(Status(7, 10, "sh", "AMS"), 131.0) == 0
    assert watch.observe(Status(10**9, 10, "sh", "AMS"), 140.0) == 0
    assert watch.observe(Status(10**9, 10, "sh", "AMS"), 141.0) == 1


def test_a_loop_that_reads_the_clock_moves_it_and_is_found_and_slow_traffic_is_none() -> None:
    """wireguard-go did so when its device was gone: 176 µs of virtual time in 10 s, for ever."""
    watch = Standstill()
    looping = [Status(n * 176_000, 129, "wireguard-go", "AMS") for n in range(20)]
    assert [watch.observe(one, 10.0 * n) for n, one in enumerate(looping)][-1] == 190
    watch = Standstill()
    traffic = [Status(n * 100_000_000, 7, "iperf3", "AMS") for n in range(20)]
    assert {watch.observe(one, 10.0 * n) for n, one in enumerate(traffic)} == {0.0}


def test_the_question_is_a_signal_to_the_kernels_process() -> None:
    with subprocess.Popen(
        ["sh", "-c", "trap 'echo asked; exit' USR2; echo ready; while :; do sleep 0.01; done"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        handle = os.pidfd_open(process.pid)
        status.ask(handle)
        assert process.stdout.read() == "asked\n"
    with pytest.raises(ProcessLookupError):
        status.ask(handle)
    os.close(handle)
