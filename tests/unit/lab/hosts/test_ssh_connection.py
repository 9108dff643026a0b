"""The connections to a machine: kept, opened again, refused in words that say what to do."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from lab.errors import CommandError, HostLost, HostUnreachable
from lab.hosts import ssh_connection
from lab.hosts.ssh import SshHost
from lab.hosts.ssh_connection import CHANNELS, SshConnection, SshSettings
from tests.unit.sshd import Server, serving


def host(line: SshConnection) -> SshHost:
    return SshHost("AMS", "AMS", ("192.168.1.1",), line)


async def test_a_command_that_ends_before_it_takes_its_input_has_a_status(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        result = await host(line).run(["no-such-program"], stdin=b"x" * 5_000_000, check=False)
        await line.close()
    assert result.status == 127
    assert "not found" in result.stderr


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


async def test_a_new_key_is_kept_apart_from_a_last_line_without_an_end(tmp_path: Path) -> None:
    async with serving(tmp_path, known=False) as server:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text("other.example ssh-ed25519 AAAA")
        new = SshConnection(server.settings(accept_new=True))
        await new.connect()
        await new.close()
        first, second = known_hosts.read_text().splitlines()
    assert first == "other.example ssh-ed25519 AAAA"
    assert second.startswith(f"[127.0.0.1]:{server.port} ssh-ed25519 ")
    assert known_hosts.read_text().endswith("\n")


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
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    give(tmp_path / "other")
    async with serving(tmp_path) as server:
        said = await _refusal(server, keys=())
    assert "user 'tester' is let in with none of the agent's and the user's keys; correct user" in said


class Process:
    """A command at the far end, as asyncssh has it."""

    def __init__(self, exit_status: int | None, gone: bool = False) -> None:
        self.exit_status, self.gone, self.did = exit_status, gone, list[str]()

    def send_signal(self, name: str) -> None:
        self.did.append(name)
        if self.gone:
            raise OSError("no channel")

    def close(self) -> None:
        self.did.append("close")


@pytest.mark.parametrize(
    ("exit_status", "gone", "did"),
    [(None, False, ["TERM", "close"]), (None, True, ["TERM", "close"]), (0, False, ["close"])],
)
def test_a_command_that_nobody_waits_for_is_told_to_end(
    exit_status: int | None, gone: bool, did: list[str]
) -> None:
    process = Process(exit_status, gone)
    ssh_connection._end(process)
    ssh_connection._end(None)
    assert process.did == did


async def test_a_connection_that_dropped_is_forgotten_and_one_that_stands_is_used_again(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        for _ in range(2):
            await host(line).run(["true"])
        (first,) = line._open
        assert line.user == first.ssh.get_extra_info("username")
        assert first.used == 0
        first.ssh.abort()
        await first.ssh.wait_closed()
        await host(line).run(["true"])
        (second,) = line._open
        assert (second is first, len(server.connections)) == (False, 2)
        await line.close()
        assert (line._open, line.user) == ([], "")


def test_a_connection_that_was_lost_is_told_with_the_command_and_not_what_goes_before_it() -> None:
    line = SshConnection(SshSettings("AMS", "a.example", user="eva"))
    words = f"sudo -n -- env -i -C / timeout -k 2 60 tool {'x' * 200}"
    assert str(line._lost(words)) == (
        f"AMS: the connection to {line.settings.where} was lost while 'tool {'x' * 115}' ran; "
        "see whether the machine is up, then go on"
    )


async def test_a_file_is_the_input_of_a_command_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\0layers" * 50_000)
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        sent = await line(["md5sum"], stdin=tmp_path / "image")
        nothing = await line(["wc", "-c"], timeout=10)
        await line.close()
    assert sent.stdout.split()[0] == hashlib.md5(b"\0layers" * 50_000, usedforsecurity=False).hexdigest()
    assert nothing.stdout.strip() == "0"


async def test_a_command_that_fails_is_an_error_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        line = SshConnection(server.settings())
        with pytest.raises(CommandError, match="status 3"):
            await line(["sh", "-c", "exit 3"])
        assert (await line(["sh", "-c", "exit 3"], check=False)).status == 3
        # a signal counts as a shell counts it
        assert (await line(["sh", "-c", "kill -KILL $$"], check=False)).status == 137
        await line.close()


async def test_a_new_key_goes_into_a_folder_that_only_its_user_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "users" / "eva"
    monkeypatch.setenv("HOME", str(home))
    async with serving(tmp_path, known=False) as server:
        new = SshConnection(server.settings(accept_new=True, known_hosts=None))
        await new.connect()
        await new.close()
    file = home / ".ssh" / "known_hosts"
    assert file.read_text().startswith(f"[127.0.0.1]:{server.port} ssh-ed25519 ")
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_of_known_hosts_is_made_for_its_user_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, known=False) as server:
        settings = server.settings(known_hosts=tmp_path / "mine")
        await _refusal(server, known_hosts=tmp_path / "mine")
        await _refusal(server, known_hosts=tmp_path / "mine")
    assert settings.known_hosts is not None
    assert settings.known_hosts.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer within 10 s; check address, network and that the machine is up"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable; check address and"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 22)"), "Connection refused;"),
        (asyncssh.ConnectionLost("cut off"), "cut off; check address and port in the inventory"),
    ],
)
def test_what_stands_in_the_way_is_told_with_what_to_look_at(error: Exception, words: str) -> None:
    assert ssh_connection._describe_failure(error).startswith(words)


def test_who_is_not_let_in_is_named_as_the_inventory_names_it() -> None:
    said = ssh_connection._login_refused
    assert said(SshSettings("AMS", "a")).startswith("this user is let in with none of the agent's")
    assert said(SshSettings("AMS", "a", user="eva", keys=("~/a", "b"))).startswith(
        "user 'eva' is not let in with the key ~/a, b; correct user and key in the inventory"
    )
    assert SshSettings("AMS", "a").where == "a port 22"
    assert SshSettings("AMS", "a", port=7).where == "a port 7"
    assert [ssh_connection._known_as("a", port) for port in (22, 7)] == ["a", "[a]:7"]


async def test_a_connection_that_takes_no_command_at_all_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.most = 0
        line = SshConnection(server.settings())
        with pytest.raises(HostUnreachable, match=r"AMS cannot be reached at 127.0.0.1"):
            await asyncio.wait_for(host(line).run(["true"]), 10)
        await line.close()


async def test_a_jump_host_is_left_when_nothing_can_be_reached_through_it_and_at_the_end(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        await _refusal(server, jump=server.settings())
        assert await left(server)
        server.forwards = True
        line = SshConnection(server.settings(jump=server.settings()))
        await line.connect()
        await line.close()
        assert await left(server)


async def left(server: Server) -> bool:
    """Whether every connection to a server ends in time."""
    for _ in range(200):
        if all(connection.is_closed() for connection in server.connections):
            return True
        await asyncio.sleep(0.02)
    return False


class Line:
    """A connection on which a command is begun and fails so."""

    def __init__(self, error: BaseException, began: Process | None = None) -> None:
        self.error, self.began = error, began

    async def create_process(self, words: str, **_: Any) -> Any:
        if self.began is None:
            raise self.error
        return self.began


@pytest.mark.parametrize(
    "error", [OSError("gone"), asyncssh.ConnectionLost("gone"), asyncio.CancelledError()]
)
async def test_a_command_that_is_cut_off_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def communicate(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(ssh_connection, "_communicate", communicate)
    process, line = Process(None), SshConnection(SshSettings("AMS", "a"))
    with pytest.raises(asyncio.CancelledError if isinstance(error, asyncio.CancelledError) else HostLost):
        await line._run_over(Line(error, process), "x", None, lambda *_: None)  # type: ignore[arg-type]
    assert process.did == ["TERM", "close"]


async def test_a_command_that_was_never_begun_is_not_lost() -> None:
    line = SshConnection(SshSettings("AMS", "a"))
    refused = asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "no more")
    with pytest.raises(asyncssh.ChannelOpenError):
        await line._run_over(Line(refused), "x", None, lambda *_: None)  # type: ignore[arg-type]
