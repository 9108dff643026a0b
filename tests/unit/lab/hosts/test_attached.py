"""Programs that run for minutes end with the process that runs them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.hosts import attached
from tests.paths import ROOT

#: A build: it starts another program, notes both, and takes long.
BUILD = "sleep 1000 & echo $! > child; echo $$ > self; wait"
CALLER = f"""
from pathlib import Path
from lab.hosts import attached
with open("lock", "w") as lock:
    import fcntl
    fcntl.flock(lock, fcntl.LOCK_EX)
    attached.run(["sh", "-c", {BUILD!r}], cwd=Path("."), timeout=100, held=[lock.fileno()])
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def running(folder: Path) -> list[int]:
    """The processes of the build that are there."""
    pids = [int((folder / name).read_text() or 0) for name in ("child", "self") if (folder / name).exists()]
    return [pid for pid in pids if pid and Path(f"/proc/{pid}/cmdline").exists() and alive(pid)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_after_kill_9_nothing_of_a_build_runs_and_the_next_one_waits_for_that(tmp_path: Path) -> None:
    caller = subprocess.Popen([sys.executable, "-c", CALLER], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    until(lambda: len(running(tmp_path)) == 2)
    caller.kill()
    caller.wait()
    subprocess.run(["flock", str(tmp_path / "lock"), "true"], check=True, timeout=20)
    assert running(tmp_path) == []


def test_a_build_that_takes_too_long_is_ended_whole(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        attached.run(["sh", "-c", BUILD], cwd=tmp_path, timeout=0.5)
    until(lambda: running(tmp_path) == [])


async def test_a_build_in_a_thread_ends_when_its_caller_is_cancelled(tmp_path: Path) -> None:
    build = asyncio.ensure_future(
        attached.in_thread(lambda: attached.run(["sh", "-c", BUILD], cwd=tmp_path, timeout=100))
    )
    while len(running(tmp_path)) < 2:
        await asyncio.sleep(0.01)
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    until(lambda: running(tmp_path) == [])


def test_status_and_output_come_back(tmp_path: Path) -> None:
    done = attached.run(["sh", "-c", "echo out; echo err >&2; exit 7"], cwd=tmp_path, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_program_that_has_ended_is_running_no_longer(tmp_path: Path) -> None:
    attached.run(["true"], cwd=tmp_path, timeout=20)
    assert attached._running == set()


def test_a_program_has_its_folder_its_environment_and_no_input(tmp_path: Path) -> None:
    script = "pwd; echo $A$LAB_NOT_GIVEN; read word; echo $?; ps -o sid= -p $$; echo $PPID"
    done = attached.run(
        ["sh", "-c", script], cwd=tmp_path, timeout=20, env={"A": "b", "PATH": "/usr/bin:/bin"}
    )
    folder, given, no_input, session, guard = done.stdout.split()
    assert (folder, given, no_input, session) == (str(tmp_path.resolve()), "b", "1", guard)
    assert done.args == ["sh", "-c", script]
    assert "PATH=" in attached.run(["env"], cwd=tmp_path, timeout=20).stdout, "this process's own"


def test_what_waits_at_the_input_of_the_caller_is_not_a_program_s(tmp_path: Path) -> None:
    caller = (
        "from pathlib import Path; from lab.hosts import attached;"
        "print(repr(attached.run(['cat'], cwd=Path('.'), timeout=20).stdout))"
    )
    argv = [sys.executable, "-c", caller]
    done = subprocess.run(
        argv, input="typed", cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "''\n"
