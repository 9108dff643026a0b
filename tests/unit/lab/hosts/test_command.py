"""Running processes: status, output, deadline, and a trace that keeps no secret."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest

from lab.errors import CommandError, FileError, HostTimeout
from lab.hosts.command import Trace, Whole, run
from lab.hosts.container import ContainerHost, ContainerProcess, exec_argv
from lab.hosts.daemons import parse_version, start_argv
from lab.hosts.host import Result, Secret


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
    assert "the swarm join token stood in the next input and is not kept here" in text
    # and it ends where one is missing, and does the same again with them
    for path in (out, tmp_path / "after"):
        path.unlink()
    replay = ["sh", str(tmp_path / "trace.sh")]
    given = {"LAB_SECRET_SWARM_JOIN_TOKEN": "sesame"}
    without = await run(replay, check=False, env=given)
    assert without.status != 0
    assert "LAB_SECRET_SSH_KEY_OF_AMS: the ssh key of AMS stood in the next input" in without.stderr
    assert not out.exists()
    assert not (tmp_path / "after").exists()
    await run(replay, env={**given, "LAB_SECRET_SSH_KEY_OF_AMS": "a\nb"})
    assert out.read_text() == plain
    assert (tmp_path / "after").exists()


def test_a_secret_that_an_input_does_not_have_as_it_is_could_not_be_left_out() -> None:
    with pytest.raises(ValueError, match="the input does not have the swarm join token in it"):
        Secret(b'{"JoinToken": "a\\tb"}', {"swarm join token": "a\tb"})
    with pytest.raises(ValueError, match="the input does not have the swarm join token in it"):
        Secret(b"", {"swarm join token": ""})


def test_a_secret_has_only_its_name_in_argv() -> None:
    argv = exec_argv("c", ["weaver"], 60, has_input=False, env=["WEAVE_PASSWORD"])
    assert argv[:5] == ["docker", "exec", "-e", "WEAVE_PASSWORD", "c"]


async def test_a_host_is_entered_with_its_own_environment_and_no_other(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    async def run_here(argv, **more):  # type: ignore[no-untyped-def]
        seen.update(more, argv=argv)
        return Result(tuple(argv), 0, "", "", 0.0)

    inside = ContainerProcess(42, 4711, ("NET_ADMIN", "CHOWN"), {"LAB_ID": "ab12"})
    await ContainerHost("AMS", "AMS", (), "c", run_here, inside).run(["ip", "link"], env={"PASSWORD": "x"})
    argv = " ".join(seen["argv"][1:])  # type: ignore[index]
    assert argv == "42 4711 -all,+net_admin,+chown timeout -k 2 60 ip link"
    env = seen["env"]
    assert isinstance(env, Whole)
    assert sorted(env) == ["HOME", "LAB_ID", "PASSWORD", "PATH"]
    # and a trace names only what was given
    trace = Trace(tmp_path / "trace.sh")
    await trace(["true"], env=env)
    trace.close()
    assert "with PASSWORD in its environment" in (tmp_path / "trace.sh").read_text()


async def test_a_trace_has_a_command_in_a_host_as_anybody_can_run_it_again(tmp_path: Path) -> None:
    """A process's number, by which a host is entered, is another one in the next lab."""

    async def run_here(argv, **_):  # type: ignore[no-untyped-def]
        return Result(tuple(argv), 0, "", "", 0.0)

    trace = Trace(tmp_path / "trace.sh", run_here)
    host = ContainerHost(
        "AMS", "AMS", (), "lab-ab12-AMS", trace, ContainerProcess(42, 4711, ("NET_ADMIN",), {})
    )
    await host.run(["tee", "/etc/x"], stdin=b"1\n", env={"PASSWORD": "x"})
    trace.close()
    lines = (tmp_path / "trace.sh").read_text().splitlines()
    again = "docker exec -i -e PASSWORD lab-ab12-AMS timeout -k 2 60 tee /etc/x <<'LAB_INPUT'"
    assert lines[-3:] == [again, "1", "LAB_INPUT"]


async def test_a_container_that_ended_is_not_entered() -> None:
    """Its number may be another process's by now."""
    inside = ContainerProcess(os.getpid(), 4711, (), {})
    with pytest.raises(CommandError, match="its container has ended"):
        await ContainerHost("AMS", "AMS", (), "c", run, inside).run(["true"])


async def test_the_far_ends_deadline_is_a_timeout_here() -> None:
    async def slow(argv, **_):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.3)
        return Result(tuple(argv), 124, "", "", 0.3)

    host = ContainerHost("AMS", "AMS", (), "c", slow)
    with pytest.raises(HostTimeout, match=r"AMS: 'sleep 9' had not ended after 0.2 s"):
        await host.run(["sleep", "9"], timeout=0.2)


def test_a_daemon_is_started_once_and_in_a_session_of_its_own() -> None:
    argv = start_argv("weave", ["weaver", "--port", "6783"], "/run/weave")
    assert argv[:4] == ["start-stop-daemon", "--start", "--oknodo", "--background"]
    assert argv[-4:] == ["--", "weaver", "--port", "6783"]


@pytest.mark.parametrize(
    ("text", "version"),
    [("20.10.24+dfsg1\n", (20, 10, 24)), ("28.2.2", (28, 2, 2)), ("", ()), ("27.0.0-rc.1", (27, 0, 0))],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_a_trace_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"the trace cannot be written to .*/no/trace: No such file"):
        Trace(tmp_path / "no" / "trace")
