"""A host over SSH: what its commands are, what becomes of faults, and that nothing secret is in any argv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.errors import CommandError, HostError, HostTimeout
from lab.hosts.base import GRACE
from lab.hosts.command import Trace
from lab.hosts.host import Private, Result
from lab.hosts.ssh import SshHost, remote_argv
from lab.hosts.ssh_connection import SshConnection, environment_lines
from tests.unit.sshd import serving


def host(line: SshConnection) -> SshHost:
    return SshHost("AMS", "AMS", ("192.168.1.1",), line)


async def test_a_command_returns_what_it_left(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        result = await host(line).run(
            ["sh", "-c", 'cat; echo "it\'s" >&2; exit 3'], stdin=b"a b", check=False
        )
        await line.close()
    assert (result.status, result.stdout, result.stderr) == (3, "a b", "it's\n")
    assert result.argv[0] == "sh"


async def test_words_arrive_as_they_were_given(tmp_path: Path) -> None:
    words = ["a b", "$HOME", "'", '"', "*", "back\\slash", "new\nline", "", "-n"]
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        result = await host(line).run(["printf", r"%s\0", *words])
        await line.close()
    assert result.stdout.split("\0")[:-1] == words


async def test_an_environment_reaches_the_command_and_stands_in_no_argv(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        env = {"SECRET": "pass word\nof two 'lines'", "OTHER": ""}
        result = await host(line).run(["sh", "-c", 'cat; printf %s "|$SECRET|$OTHER"'], stdin=b"in", env=env)
        asked = " ".join(server.asked)
        await line.close()
    assert result.stdout == f"in|{env['SECRET']}|"
    assert "SECRET" in asked
    assert "pass word" not in asked


async def test_a_trace_has_commands_and_no_secret(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        trace = Trace(tmp_path / "trace.sh", line)
        traced = SshHost("AMS", "AMS", (), trace)
        await traced.run(["cat"], stdin=b"input\n", env={"SECRET": "very-secret-word"})
        trace.close()
        await line.close()
    text = (tmp_path / "trace.sh").read_text()
    assert "input" in text
    assert "SECRET" in text
    assert "very-secret-word" not in text
    assert environment_lines({"": "very-secret-word"}).decode().strip() not in text


async def test_a_failure_names_host_command_and_words(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        with pytest.raises(CommandError, match="AMS: 'ls /no/such' ended with status 2"):
            await host(line).run(["ls", "/no/such"])
        await line.close()


async def test_a_deadline_is_kept_at_the_far_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        with pytest.raises(HostTimeout, match=r"'sleep 60' had not ended after 0.2 s"):
            await host(line).run(["sleep", "60"], timeout=0.2)
        await line.close()


async def test_files_go_both_ways(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        await host(line).put(data, str(tmp_path / "new" / "file"), mode=0o755)
        assert await host(line).get(str(tmp_path / "new" / "file")) == data
        with pytest.raises(HostError, match="cannot be read"):
            await host(line).get(str(tmp_path / "none"))
        await line.close()
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o755


def test_of_an_environment_only_names_are_in_the_command() -> None:
    argv = remote_argv(["weaver"], 60, ("WEAVE_PASSWORD",), sudo=True)
    assert argv[:4] == ["sudo", "-n", "--", "env"]
    assert "WEAVE_PASSWORD" in argv
    assert argv[-5:] == ["timeout", "-k", "2", "60", "weaver"]
    assert environment_lines({"WEAVE_PASSWORD": "x"}) == b"eA==\n"


@pytest.mark.parametrize(
    ("status", "stderr", "sentence"),
    [
        (1, "sudo: a password is required\n", "AMS: sudo asks for a password there"),
        (1, "sudo: a terminal is required to read the password\n", "AMS: sudo asks for a password there"),
        (1, "tester is not in the sudoers file.\n", "the lab needs root there"),
        (127, "sh: 1: exec: sudo: not found\n", "AMS: sudo is not installed there"),
    ],
)
async def test_sudo_that_does_not_let_in_is_a_sentence(status: int, stderr: str, sentence: str) -> None:
    async def run(argv: Any, **_: Any) -> Result:
        return Result(tuple(argv), status, "", stderr, 0.0)

    with pytest.raises(HostError, match=sentence):
        await SshHost("AMS", "AMS", (), run, sudo=True).run(["id"], check=False)


@pytest.mark.parametrize(
    ("status", "stderr"),
    [
        (1, "ping: unknown host\n"),
        (127, "sh: 1: tool: not found\n"),
        (127, "sh: 1: sudo is broken\n"),
        (1, "sudo: tool: command not found\n"),
        (1, "tool: no password, no terminal\n"),
        (1, "sudo: a password is required\ntool: no\n"),
    ],
)
async def test_a_command_that_fails_under_sudo_is_not_taken_for_sudo(status: int, stderr: str) -> None:
    async def run(argv: Any, **_: Any) -> Result:
        return Result(tuple(argv), status, "", stderr, 0.0)

    assert (await SshHost("AMS", "AMS", (), run, sudo=True).run(["ping"], check=False)).status == status


@pytest.mark.parametrize(("sudo", "status"), [(False, 1), (True, 0)])
async def test_words_of_sudo_are_only_looked_for_where_sudo_failed(sudo: bool, status: int) -> None:
    async def run(argv: Any, **_: Any) -> Result:
        return Result(tuple(argv), status, "", "sudo: a password is required\n", 0.0)

    assert (await SshHost("AMS", "AMS", (), run, sudo=sudo).run(["x"], check=False)).status == status


async def test_whoever_logs_in_a_command_finds_the_environment_of_a_container(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        found = (await host(line).run(["env"], env={"GIVEN": "x"})).stdout.splitlines()
        place = (await host(line).run(["pwd"])).stdout
        await line.close()
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert {one for one in found if not one.startswith("PWD=")} == {path, "HOME=/root", "GIVEN=x"}
    assert place == "/\n"


async def test_a_command_that_prints_a_secret_is_told_to_be_private_on_its_way() -> None:
    asked = []

    async def run(argv: Any, *, timeout: float, **_: Any) -> Result:
        asked.append((type(argv), timeout))
        return Result(tuple(argv), 0, "", "", 0.0)

    for argv in (Private(["cat", "key"]), ["true"]):
        await SshHost("AMS", "AMS", (), run).run(argv, timeout=7.0)
    assert asked == [(Private, 7.0 + GRACE), (list, 7.0 + GRACE)]
