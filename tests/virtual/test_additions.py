"""What the lab adds to the kernel, in a kernel that is booted: naps, prices, seeds, an answer to a signal.

Not among the tests that run by themselves: they need the kernel (`lab images build --virtual`). No root.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.virtual.kernel import Kernel, command, find, status

pytestmark = pytest.mark.timed

GUEST = Path(__file__).resolve().with_name("guest.py")
#: s of wall time within which each check ends on a busy machine, too
PATIENCE = 120.0
MS, US = 1e-3, 1e-6


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    found = find()
    if not found:
        pytest.skip("the kernel of virtual time is not built: lab images build --virtual")
    return found


@contextmanager
def booted(kernel: Kernel, check: str, folder: Path, seed: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A kernel that carries out a check; it is gone at the end."""
    first = [os.path.realpath(sys.executable), "-S", "-B", str(GUEST), check]
    with subprocess.Popen(
        command.argv(kernel, "256M", first),
        env=command.environment(kernel, seed, folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def handle(pid: int) -> Iterator[int]:
    """A pidfd of a process."""
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def seen(kernel: Kernel, check: str, folder: Path, seed: int = 1) -> Any:
    """Return what a check saw."""
    with booted(kernel, check, folder, seed) as process:
        printed, _ = process.communicate(timeout=PATIENCE)
    lines = [line for line in printed.splitlines() if line.startswith("SEEN ")]
    assert lines, printed
    found = json.loads(lines[0].removeprefix("SEEN "))
    assert not (isinstance(found, dict) and "failed" in found), found
    return found


def test_five_seconds_of_sleep_take_five_seconds_and_hardly_any_wall_time(
    kernel: Kernel, tmp_path: Path
) -> None:
    start = time.monotonic()
    slept = seen(kernel, "sleep", tmp_path)
    wall = time.monotonic() - start
    assert 5 <= slept < 5.0002  # with the timer slack of 50 us
    if os.getloadavg()[0] < os.cpu_count() / 2:  # type: ignore[operator]
        assert wall < 1


def test_the_processors_counter_of_cycles_is_virtual_too(kernel: Kernel, tmp_path: Path) -> None:
    """One cycle is a nanosecond: old Go seeds from it, and some tools take times by it."""
    assert 1e9 <= seen(kernel, "counter", tmp_path) < 1.0002e9


def test_two_boots_with_one_seed_have_the_same_random_numbers(kernel: Kernel, tmp_path: Path) -> None:
    first, second, other = (seen(kernel, "seed", tmp_path, seed) for seed in (6, 6, 7))
    assert first == second
    assert not [name for name in first if first[name] == other[name]]


def test_a_loop_that_only_polls_sleeps_and_one_that_works_does_not(kernel: Kernel, tmp_path: Path) -> None:
    found = seen(kernel, "nap", tmp_path)
    assert 4000 < found["turns"] <= 5000  # of 100 ms, at 20 us a turn and two clock reads
    assert found["spins"] >= found["turns"] - 1
    assert found["later"] == 0
    assert 4000 < found["looks"] <= 5016
    assert found["looked"] >= found["looks"] - 17
    assert found["few"] == 0
    assert found["told"] == 0  # a poll that waited is no spinning, though nothing was called in between


def test_each_call_of_a_process_with_a_price_costs_it(kernel: Kernel, tmp_path: Path) -> None:
    found = seen(kernel, "price", tmp_path)
    assert found["free"] < 1 * US
    assert found["priced"] == pytest.approx(40 * MS, abs=2 * US)
    calls, ns = found["charged"]
    assert calls == 1000
    assert ns - calls * 40_000 in (40_000, 80_000)  # reading the counters are calls, too
    assert found["threads"] == pytest.approx(40 * MS, abs=20 * US)  # of both, one after the other
    assert found["many"] == pytest.approx(400 * US, abs=2 * US)


def test_processes_of_one_host_share_its_processor_and_hosts_do_not(kernel: Kernel, tmp_path: Path) -> None:
    found = seen(kernel, "hosts", tmp_path)
    assert found["one"] == pytest.approx(80 * MS, abs=50 * US)
    assert found["two"] == pytest.approx(40 * MS, abs=50 * US)


def test_prices_are_replaced_as_a_whole_or_not_at_all(kernel: Kernel, tmp_path: Path) -> None:
    found = seen(kernel, "prices", tmp_path)
    assert set(found["kept"]) == {"a:1,b:2"}
    assert found["eight"]
    assert found["none"] == ""


def test_each_packet_that_open_vswitch_sends_up_costs_once(kernel: Kernel, tmp_path: Path) -> None:
    found = seen(kernel, "upcalls", tmp_path)
    assert found["taken"] == found["charged"] == 50
    assert found["took"] == pytest.approx(5 * MS, abs=5 * US)
    assert found["peeked"] < 1 * US


def test_a_layer_over_the_machines_files_takes_changes(kernel: Kernel, tmp_path: Path) -> None:
    found = seen(kernel, "layers", tmp_path)
    assert found == {"lower": True, "names": ["group", "new", "passwd"], "gone": False}


def test_a_loop_without_end_is_found_and_named_from_outside(kernel: Kernel, tmp_path: Path) -> None:
    watch, stood = status.Standstill(), 0.0
    with booted(kernel, "loop", tmp_path) as process, handle(process.pid) as pidfd:
        assert process.stdout is not None
        assert any(line.startswith("looping") for line in process.stdout)
        deadline = time.monotonic() + PATIENCE
        while stood < 0.5:
            assert time.monotonic() < deadline, "no process was found that loops"
            status.ask(pidfd)
            answer = next(found for line in process.stdout if (found := status.parse(line)))
            stood = watch.observe(answer, time.monotonic())
            time.sleep(0.1)
    assert (answer.name, answer.host, answer.pid) == ("looping (9)", "AMS", 1)
    assert 50e6 < answer.now < 1e9  # ns: it slept 50 ms before
