"""The commands that start and end daemons, run on processes of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.hosts import daemons

pytestmark = pytest.mark.skipif(
    not shutil.which("start-stop-daemon"), reason="start-stop-daemon is not installed (Debian's dpkg)"
)
#: A daemon that takes no notice of TERM.
DEAF = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]


def run(argv: list[str]) -> int:
    return subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of process ids and logs; every process that stands in it at the end is ended."""
    monkeypatch.setattr(daemons, "PIDS", str(tmp_path))
    monkeypatch.setattr(daemons, "LOGS", str(tmp_path))
    yield tmp_path
    for file in tmp_path.glob("*.pid"):
        if (pid := int(file.read_text())) and alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is no daemon of the lab."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def start(*argv: str) -> int:
    """Start the daemon ``x`` and return its process id."""
    assert run(daemons.start_argv("x", argv, "/")) == 0
    return int(Path(daemons.pidfile("x")).read_text())


def test_a_daemon_is_started_once_and_in_a_session_of_its_own(folder: Path) -> None:
    pid = start("sleep", "60")
    assert start("sleep", "61") == pid
    assert os.getsid(pid) not in (0, os.getsid(0))
    until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0060\x00")
    assert run(daemons.status_argv("x")) == 0


def test_a_daemon_is_ended_and_nothing_of_it_stays(folder: Path) -> None:
    pid = start("sleep", "60")
    assert run(daemons.stop_argv("x")) == 0
    until(lambda: not alive(pid))
    assert sorted(path.name for path in folder.iterdir()) == ["x.log"]
    assert run(daemons.status_argv("x")) != 0
    assert run(daemons.stop_argv("x")) == 0, "nothing to end is no error"


def test_a_daemon_that_takes_no_notice_of_term_is_killed(folder: Path) -> None:
    pid = start(*DEAF)
    until(lambda: b"trap" in Path(f"/proc/{pid}/cmdline").read_bytes())
    assert run(daemons.stop_argv("x")) == 0
    assert not alive(pid)


def test_a_daemon_that_died_is_reported_with_status_1_and_started_again(folder: Path) -> None:
    pid = start("sleep", "60")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    assert run(daemons.status_argv("x")) == 1
    assert start("sleep", "60") != pid
    assert run(daemons.status_argv("x")) == 0


def given_to(stranger: subprocess.Popen[bytes]) -> None:
    """Let the process id of the daemon ``x`` be another process's by now."""
    pid = start("sleep", "60")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    # the kernel counts start times in hundredths of a second
    Path(daemons.pidfile("x")).with_suffix(".started").write_text("1\n")
    Path(daemons.pidfile("x")).write_text(f"{stranger.pid}\n")


def test_a_stranger_with_a_dead_daemons_id_is_not_taken_for_it(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    given_to(stranger)
    assert run(daemons.status_argv("x")) == 1
    pid = start("sleep", "60")
    assert pid != stranger.pid
    assert run(daemons.status_argv("x")) == 0


def test_a_stranger_with_a_dead_daemons_id_is_neither_ended_nor_signalled(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    given_to(stranger)
    assert run(daemons.signal_argv("USR1", daemons.pidfile("x"))) == 1
    assert run(daemons.stop_argv("x")) == 0
    assert stranger.poll() is None
    assert sorted(path.name for path in folder.iterdir()) == ["x.log"]


def test_all_daemons_of_a_host_are_ended_and_no_stranger(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    given_to(stranger)
    assert run(daemons.start_argv("y", ["sleep", "60"], "/")) == 0
    pid = int((folder / "y.pid").read_text())
    assert run(["sh", "-c", daemons.stop_all_script()]) == 0
    until(lambda: not alive(pid))
    assert stranger.poll() is None
    assert not list(folder.glob("*.pid"))


def test_a_daemon_of_which_no_start_time_was_noted_is_known_by_its_id(folder: Path) -> None:
    pid = start("sleep", "60")
    (folder / "x.started").unlink()
    assert run(daemons.status_argv("x")) == 0
    assert run(daemons.stop_argv("x")) == 0
    until(lambda: not alive(pid))


def test_a_signal_reaches_the_process_whose_id_is_in_a_file(folder: Path) -> None:
    pid = start("sleep", "60")
    assert run(daemons.signal_argv("KILL", daemons.pidfile("x"))) == 0
    until(lambda: not alive(pid))


def test_a_signal_reaches_only_the_program_that_is_meant(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    """Of a file that a daemon writes by itself, no start time is noted."""
    file = folder / "docker.pid"
    file.write_text(f"{stranger.pid}\n")
    assert run(daemons.signal_argv("KILL", str(file), "dockerd")) != 0
    assert stranger.poll() is None
    assert run(daemons.signal_argv("KILL", str(file), "sleep")) == 0
    assert stranger.wait(10) == -signal.SIGKILL


def test_a_shell_that_notes_itself_is_a_daemon_like_others(folder: Path) -> None:
    script = f"{daemons.note_script('watch')}exec sleep 60"
    with subprocess.Popen(["sh", "-e", "-c", script]) as noted:
        until((folder / "watch.pid").exists)
        assert run(daemons.status_argv("watch")) == 0
        assert (folder / "watch.started").read_text().strip().isdigit()
        (folder / "watch.started").write_text("1\n")
        assert run(daemons.stop_argv("watch")) == 0
        assert noted.poll() is None, "it is a stranger now"
        noted.kill()
