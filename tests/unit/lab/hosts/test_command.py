"""Running processes: status, output, deadline, and a trace that keeps no secret."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import subprocess
import time
from pathlib import Path

import pytest

from lab.errors import CommandError, FileError, HostTimeout
from lab.hosts.command import FullEnvironment, Trace, run, with_deadline, without_deadline
from lab.hosts.host import Secret
from lab.hosts.ssh import remote_argv
from lab.util.concurrency import together


def running(command: str) -> bool:
    """Whether a process with this command line is there."""
    return subprocess.run(["pgrep", "-f", command], capture_output=True, check=False).returncode == 0


async def gone(command: str, timeout: float = 5.0) -> bool:
    """Whether no such process is left in time: one that was killed is listed until the kernel has run it."""
    ends = time.monotonic() + timeout
    while there := running(command):
        if time.monotonic() > ends:
            break
        await asyncio.sleep(0.02)
    return not there


async def test_a_command_leaves_status_and_output() -> None:
    result = await run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in", check=False)
    assert (result.status, result.stdout, result.stderr) == (3, "in", "err\n")


async def test_a_failed_command_is_an_error_with_everything_in_it() -> None:
    with pytest.raises(CommandError, match=r"AMS: .*status 3: no such thing") as caught:
        await run(["sh", "-c", "echo no such thing >&2; exit 3"], on="AMS")
    assert caught.value.argv[0] == "sh"


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="no-such-program is not installed"):
        await run(["no-such-program"])


async def test_a_deadline_ends_the_whole_process_group() -> None:
    with pytest.raises(HostTimeout, match=r"had not ended after 0.2 s"):
        await run(["sh", "-c", "sleep 61.25 & wait"], timeout=0.2)
    assert await gone("sleep 61.25")


async def test_a_cancelled_command_does_not_live_on() -> None:
    task = asyncio.create_task(run(["sleep", "61.5"]))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone("sleep 61.5")


async def test_a_trace_is_a_script_that_does_the_same_again(tmp_path: Path) -> None:
    # given a trace of two commands, one with input
    trace = Trace(tmp_path / "trace.sh")
    out = tmp_path / "out put"
    await trace(["tee", str(out)], on="AMS", stdin=b"first\n")
    await trace(["sh", "-c", "exit 4"], on="PRG", check=False)
    with pytest.raises(CommandError):
        await trace(["false"], on="PRG")
    trace.close()
    # when it is replayed
    out.unlink()
    await run(["sh", str(tmp_path / "trace.sh")], check=False)
    # then the same was done, and it says where, and with which status
    assert out.read_text() == "first\n"
    text = (tmp_path / "trace.sh").read_text()
    assert "on AMS: status 0" in text
    assert "on PRG: status 4" in text
    assert "on PRG: status 1" in text


async def test_a_trace_says_to_the_millisecond_when_a_command_began(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.sh")
    await trace(["true"], on="AMS")
    trace.close()
    text = (tmp_path / "trace.sh").read_text()
    began = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    assert re.search(rf"^# {began} on AMS: status 0, ", text, re.MULTILINE)


async def test_a_trace_names_secrets_and_does_not_tell_them(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.sh")
    result = await trace(["sh", "-c", "echo $PASSWORD"], env={"PASSWORD": "sesame"})
    trace.close()
    assert result.stdout == "sesame\n"
    assert "sesame" not in (tmp_path / "trace.sh").read_text()
    assert "with PASSWORD in its environment" in (tmp_path / "trace.sh").read_text()


async def test_a_secret_of_an_input_is_a_variable_in_a_trace_that_can_be_replayed(tmp_path: Path) -> None:
    # given a command that is fed a token, and text that a shell would expand
    trace, out = Trace(tmp_path / "trace.sh"), tmp_path / "out"
    plain = '{"JoinToken": "sesame", "price": "$5 `ls` \\n", "key": "a\nb"}\n'
    fed = Secret(plain.encode(), {"swarm join token": "sesame", "ssh key of AMS": "a\nb"})
    await trace(["tee", str(out)], stdin=fed)
    await trace(["touch", str(tmp_path / "after")])
    trace.close()
    assert out.read_text() == plain
    # then the trace has neither, and says in words what to give to it
    text = (tmp_path / "trace.sh").read_text()
    assert "sesame" not in text
    assert "a\nb" not in text
    assert "the swarm join token was in the next input and is not kept here" in text
    # and it ends where one is missing, and does the same again with them
    for path in (out, tmp_path / "after"):
        path.unlink()
    replay = ["sh", str(tmp_path / "trace.sh")]
    given = {"LAB_SECRET_SWARM_JOIN_TOKEN": "sesame"}
    without = await run(replay, check=False, env=given)
    assert without.status != 0
    assert "LAB_SECRET_SSH_KEY_OF_AMS: the ssh key of AMS was in the next input" in without.stderr
    assert not out.exists()
    assert not (tmp_path / "after").exists()
    await run(replay, env={**given, "LAB_SECRET_SSH_KEY_OF_AMS": "a\nb"})
    assert out.read_text() == plain
    assert (tmp_path / "after").exists()


@pytest.mark.parametrize("names", [(), ("WORD",)])
@pytest.mark.parametrize("sudo", [True, False])
def test_what_was_asked_for_is_read_off_what_is_run(names: tuple[str, ...], sudo: bool) -> None:
    argv = ["sh", "-c", "timeout -k 2 3 true"]
    assert without_deadline(remote_argv(argv, 60, names, sudo=sudo)) == argv
    assert without_deadline(argv) == argv
    assert without_deadline(with_deadline(with_deadline(argv, 1), 2)) == with_deadline(argv, 1)


def test_a_trace_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"the trace cannot be written to .*/no/trace: No such file"):
        Trace(tmp_path / "no" / "trace")


async def test_a_command_that_takes_no_notice_of_term_ends_with_its_deadline() -> None:
    """Only KILL is sure."""
    with pytest.raises(HostTimeout, match=r"AMS: sh -c .* had not ended after 0.3 s"):
        await run(["sh", "-c", "trap '' TERM; sleep 61.7"], on="AMS", timeout=0.3)
    assert await gone("sleep 61.7")


async def test_lines_of_a_trace_are_written_at_once(tmp_path: Path) -> None:
    """A run that is killed leaves its trace."""
    trace = Trace(tmp_path / "trace.sh")
    await trace(["true"], stdin=b"x" * 20_001)
    text = (tmp_path / "trace.sh").read_text()
    assert text.startswith("#!/bin/sh\n# Every command of one run, in the order in which it ended.\n# ")
    assert text.endswith("true  # its input: 20001 bytes, not kept here\n")
    trace.close()


async def test_a_trace_has_the_status_of_what_failed_and_of_what_did_not_end(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.sh")
    with pytest.raises(CommandError):
        await trace(["sh", "-c", "exit 3"])
    with pytest.raises(CommandError):
        await trace(["no-such-program"], env={"A": "secret"})
    with pytest.raises(HostTimeout):
        await trace(["sleep", "9"], timeout=0.1)
    trace.close()
    notes = [line for line in (tmp_path / "trace.sh").read_text().splitlines() if line.startswith("# 2")]
    assert [note.split(": ")[1].split(",")[0] for note in notes] == ["status 3", "status 127", "not ended"]
    assert notes[1].endswith(", with A in its environment")
    assert all(" on this machine: " in note for note in notes)


async def test_input_and_environment_reach_a_command_beside_this_processes_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_TEST_OWN", "own")
    argv = ["sh", "-c", 'cat; echo "$LAB_TEST_OWN$GIVEN"']
    assert (await run(argv, stdin=b"in ", env={"GIVEN": "given"})).stdout == "in owngiven\n"
    full = FullEnvironment({"PATH": os.environ["PATH"]}, {"GIVEN": "given"})
    assert (await run(argv, env=full)).stdout == "given\n"


async def test_forty_commands_run_at_once(tmp_path: Path) -> None:
    """Each waits for the others: with a thread for each processor none would ever end."""
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    begun.touch()
    os.mkfifo(gate)
    held = os.open(gate, os.O_RDWR)
    try:
        script = f"exec 3<{gate}; echo >>{begun}; cat <&3"
        under_way = [asyncio.ensure_future(run(["sh", "-c", script], timeout=60)) for _ in range(40)]
        ends = time.monotonic() + 30
        while len(begun.read_text()) < 40 and time.monotonic() < ends:
            await asyncio.sleep(0.02)
        together = len(begun.read_text())
    finally:
        os.close(held)
    await asyncio.gather(*under_way)
    assert together == 40


@pytest.mark.parametrize("given", [b"\xff", b"a\0b", b"x" * 20_001])
async def test_an_input_that_is_no_short_text_is_told_by_its_size(tmp_path: Path, given: bytes) -> None:
    trace = Trace(tmp_path / "trace.sh")
    await trace(["true"], stdin=given)
    trace.close()
    assert (tmp_path / "trace.sh").read_text().splitlines()[-1] == (
        f"true  # its input: {len(given)} bytes, not kept here"
    )


async def test_a_trace_names_what_was_given_to_a_command_and_not_what_is_always_there(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.sh")
    always = {"PATH": os.environ["PATH"]}
    for env in (None, FullEnvironment(always, {}), FullEnvironment(always, {"A": "1", "B": "2"})):
        await trace(["true"], env=env)
    notes = [line for line in (tmp_path / "trace.sh").read_text().splitlines() if line.startswith("# 2")]
    assert [re.split(r"\d s", note)[1] for note in notes] == ["", "", ", with A B in its environment"]
    trace.close()
    with pytest.raises(ValueError, match="closed"):
        await trace(["true"])


async def test_of_two_secrets_in_an_input_the_longer_one_is_left_out_first(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.sh")
    await trace(["cat"], stdin=Secret(b"azzb zz", {"first": "zz", "second": "azzb"}))
    trace.close()
    text = (tmp_path / "trace.sh").read_text()
    assert "\n${LAB_SECRET_SECOND:?} ${LAB_SECRET_FIRST:?}\n" in text


async def test_hundreds_of_commands_do_not_open_more_files_than_a_process_may_have() -> None:
    """A lab of a thousand hosts asks all of them at the same time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        results = await together(run(["sh", "-c", "sleep 1.5; cat"], stdin=b"x") for _ in range(600))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {result.stdout for result in results} == {"x"}
