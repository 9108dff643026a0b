"""A host over SSH: what its commands are, what becomes of faults, and that nothing secret is in any argv."""

from __future__ import annotations

import asyncio
import errno
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import CommandError, HostError, HostLost, HostTimeout, HostUnreachable
from lab.hosts.command import Trace
from lab.hosts.host import Result
from lab.hosts.ssh import SshHost, remote_argv
from lab.hosts.ssh_connection import CHANNELS, SshConnection, SshSettings, environment_lines
from tests.unit.sshd import Server, serving


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


async def test_a_command_that_ends_before_it_takes_its_input_has_a_status(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        result = await host(line).run(["no-such-program"], stdin=b"x" * 5_000_000, check=False)
        await line.close()
    assert result.status == 127
    assert "not found" in result.stderr


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


async def test_more_commands_at_once_than_a_connection_takes(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        results = await asyncio.gather(*(host(line).run(["echo", str(n)]) for n in range(3 * CHANNELS)))
        assert [r.stdout.strip() for r in results] == [str(n) for n in range(3 * CHANNELS)]
        assert len(server.connections) >= 2
        await line.close()


async def test_a_server_that_serves_fewer_at_once_gets_another_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.most = 2
        line = SshConnection(server.settings())
        await line.connect()
        results = await asyncio.gather(*(host(line).run(["sleep", "0.1"]) for _ in range(4)))
        assert len(results) == 4
        await line.close()


async def test_a_drop_is_named_and_the_next_command_connects_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        await line.connect()
        under_way = asyncio.ensure_future(host(line).run(["sleep", "30"]))
        while not server.asked:
            await asyncio.sleep(0.01)
        server.cut()
        with pytest.raises(
            HostLost, match=r"AMS: the connection to 127.0.0.1 port \d+ was lost while 'sleep 30' ran"
        ):
            await under_way
        assert (await host(line).run(["echo", "back"])).stdout == "back\n"
        await line.close()


async def _refusal(server: Server, **more: Any) -> str:
    line = SshConnection(server.settings(**more))
    with pytest.raises(HostUnreachable) as caught:
        await line.connect()
    return str(caught.value)


async def test_nobody_listens_at_the_port(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        port = server.port
    said = await _refusal(server)
    assert said.startswith(f"AMS cannot be reached at 127.0.0.1 port {port}: Connection refused; ")
    assert "check address and port in the inventory" in said


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EHOSTUNREACH, "No route to host"), (errno.ECONNREFUSED, "Connection refused")],
)
async def test_why_a_connection_failed_is_told_in_the_kernel_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, "Connect call failed ('192.0.2.1', 22)")

    monkeypatch.setattr("asyncssh.connect", fail)
    with pytest.raises(HostUnreachable, match=f"port 22: {words}; check address and port"):
        await SshConnection(SshSettings("AMS", "192.0.2.1")).connect()


async def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        said = await _refusal(server, address="no-such-machine.invalid")
    assert "no-such-machine.invalid" in said
    assert "check address" in said


async def test_a_key_that_is_not_let_in(tmp_path: Path) -> None:
    import asyncssh

    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    async with serving(tmp_path) as server:
        said = await _refusal(server, keys=(str(tmp_path / "other"),))
    assert f"user 'tester' is not let in with the key {tmp_path / 'other'}" in said


async def test_a_key_that_is_no_file(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        said = await _refusal(server, keys=(str(tmp_path / "none"),))
    assert f"the key {tmp_path / 'none'} cannot be read: No such file or directory" in said


async def test_an_unknown_host_key_is_refused_and_accepted_only_when_told(tmp_path: Path) -> None:
    async with serving(tmp_path, known=False) as server:
        said = await _refusal(server)
        assert "is in no known_hosts; compare it and give --accept-new" in said
        assert "SHA256:" in said
        new = SshConnection(server.settings(accept_new=True))
        await new.connect()
        await new.close()
        strict = SshConnection(server.settings())
        await strict.connect()
        await strict.close()
    assert f"[127.0.0.1]:{server.port} ssh-ed25519" in (tmp_path / "known_hosts").read_text()


async def test_a_changed_host_key_is_refused_even_with_accept_new(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        port = first.port
    async with serving(tmp_path, port=port, known=False) as second:
        said = await _refusal(second, accept_new=True)
    assert "its host key is not the one that" in said
    assert f"ssh-keygen -f {tmp_path / 'known_hosts'} -R [127.0.0.1]:{port}" in said


async def test_a_host_behind_another_is_reached_by_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.forwards = True
        line = SshConnection(server.settings(jump=server.settings()))
        assert (await host(line).run(["echo", "through"])).stdout == "through\n"
        assert len(server.connections) == 2, "one to the jump host, and one through it"
        await line.close()


async def test_a_jump_host_that_lets_nobody_through_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        said = await _refusal(server, jump=server.settings())
    assert said.startswith("AMS cannot be reached at 127.0.0.1")


async def test_a_jump_host_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        said = await _refusal(server, jump=replace(server.settings(port=1), name="jump host gate"))
    assert said.startswith("jump host gate cannot be reached at 127.0.0.1 port 1")


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


async def test_a_command_that_fails_under_sudo_is_not_taken_for_sudo() -> None:
    async def run(argv: Any, **_: Any) -> Result:
        return Result(tuple(argv), 1, "", "ping: unknown host\n", 0.0)

    assert (await SshHost("AMS", "AMS", (), run, sudo=True).run(["ping"], check=False)).status == 1


async def test_what_the_inventory_leaves_out_comes_from_openssh_s_settings(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        (tmp_path / "config").write_text(
            f"Host ams\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.settings().user}\n"
            f"  IdentityFile {tmp_path / 'key'}\n  UserKnownHostsFile {tmp_path / 'known_hosts'}\n"
        )
        line = SshConnection(SshSettings("AMS", "ams", config=tmp_path / "config"))
        assert (await host(line).run(["echo", "found"])).stdout == "found\n"
        assert line.user == "tester"
        await line.close()


async def test_input_of_no_bytes_ends_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        assert (await host(line).run(["cat"], stdin=b"", timeout=5)).stdout == ""
        await line.close()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real ssh-agent without keys, as SSH_AUTH_SOCK names it; and a home without keys of its own."""
    if not shutil.which("ssh-agent") or not shutil.which("ssh-add"):
        pytest.skip("no ssh-agent here: apt install openssh-client")
    # a socket's path has 108 bytes at most
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "agent"
        with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it says where it listens once it does
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            monkeypatch.setenv("HOME", str(tmp_path))
            yield socket
            process.terminate()


def give(key: Path) -> None:
    """Give a key to the agent, and delete its file."""
    key.chmod(0o600)
    subprocess.run(["ssh-add", "-q", key], check=True)
    key.unlink()


async def test_a_key_that_only_the_agent_has_lets_in(tmp_path: Path, agent: Path) -> None:
    async with serving(tmp_path) as server:
        give(tmp_path / "key")
        line = SshConnection(server.settings(keys=()))
        assert (await host(line).run(["echo", "in"])).stdout == "in\n"
        await line.close()


async def test_an_agent_that_has_not_the_key_is_named(tmp_path: Path, agent: Path) -> None:
    import asyncssh

    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    give(tmp_path / "other")
    async with serving(tmp_path) as server:
        said = await _refusal(server, keys=())
    assert "user 'tester' is let in with none of the agent's and the user's keys; correct user" in said
