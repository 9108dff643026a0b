"""What every kind of host does in the same way."""

from __future__ import annotations

import asyncio
import base64
import io
import tarfile
from collections.abc import Mapping, Sequence

import pytest

from lab.errors import CommandError, HostError, HostTimeout
from lab.hosts.base import BaseHost
from lab.hosts.container import ContainerHost
from lab.hosts.daemons import LOGS, PIDS, start_argv, status_argv, stop_argv
from lab.hosts.facts import MARK, QUESTIONS, facts_script
from lab.hosts.host import Result


async def test_the_far_ends_deadline_is_a_timeout_here() -> None:
    async def slow(argv, **_):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.3)
        return Result(tuple(argv), 124, "", "", 0.3)

    host = ContainerHost("AMS", "AMS", (), "c", slow)
    with pytest.raises(HostTimeout, match=r"AMS: 'sleep 9' had not ended after 0.2 s"):
        await host.run(["sleep", "9"], timeout=0.2)


class Recorded(BaseHost):
    """A host that writes down what it is to run, and answers what it was told to."""

    def __init__(self, status: int = 0, out: str = "", err: str = "") -> None:
        super().__init__("AMS", "AMS", ["192.0.2.1"])
        self.status, self.out, self.err = status, out, err
        self.ran: list[tuple[tuple[str, ...], float, bytes | None, Mapping[str, str] | None]] = []

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        self.ran.append((tuple(argv), timeout, stdin, env))
        return Result(("on", "the", "way"), self.status, self.out, self.err, 0.0)


async def test_a_result_has_the_command_that_was_asked_for() -> None:
    host = Recorded(status=3, err="no")
    assert (await host.run(["false"], check=False)).argv == ("false",)
    with pytest.raises(CommandError, match="AMS"):
        await host.run(["false"])
    assert host.ran[0] == (("false",), 60.0, None, None)


@pytest.mark.parametrize("status", [124, 137])
async def test_a_command_that_ends_itself_with_such_a_status_in_time_is_no_timeout(status: int) -> None:
    assert (await Recorded(status).run(["x"], check=False)).status == status


@pytest.mark.parametrize("status", [124, 137])
async def test_a_command_that_used_all_its_time_is_one(status: int) -> None:
    with pytest.raises(HostTimeout):
        await Recorded(status).run(["x"], timeout=0.0, check=False)


async def test_a_file_is_put_as_an_archive_with_its_mode() -> None:
    host = Recorded()
    await host.put(b"text", "/etc/lab/key", mode=0o600)
    await host.put(b"", "/etc/lab/open")
    (argv, timeout, stdin, _), (_, _, other, _) = host.ran
    assert (argv, timeout) == (("tar", "-x", "-C", "/", "-f", "-"), 120)
    with tarfile.open(fileobj=io.BytesIO(stdin or b"")) as archive:
        entry = archive.getmember("etc/lab/key")
        assert (entry.mode, archive.extractfile(entry).read()) == (0o600, b"text")  # type: ignore[union-attr]
    with tarfile.open(fileobj=io.BytesIO(other or b"")) as archive:
        assert archive.getmember("etc/lab/open").mode == 0o644


async def test_a_file_is_read_whole_and_one_that_cannot_be_is_named() -> None:
    host = Recorded(out=base64.b64encode(b"\0bytes").decode())
    assert await host.get("/x") == b"\0bytes"
    assert host.ran[0][0] == ("base64", "-w0", "/x")
    with pytest.raises(HostError, match="AMS: /x cannot be read: No such file"):
        await Recorded(1, err="No such file\n").get("/x")


async def test_a_daemon_is_started_at_the_root_with_its_environment_in_folders_that_are_there() -> None:
    host = Recorded()
    await host.start("d", ["prog", "-x"], env={"A": "b"})
    assert [argv for argv, *_ in host.ran] == [
        ("mkdir", "-p", PIDS, LOGS),
        tuple(start_argv("d", ["prog", "-x"], cwd="/")),
    ]
    assert host.ran[1][3] == {"A": "b"}


async def test_a_daemon_is_given_half_a_minute_to_end_and_its_status_says_if_it_lives() -> None:
    host = Recorded()
    await host.stop("d")
    assert host.ran == [(tuple(stop_argv("d")), 30, None, None)]
    assert await host.alive("d")
    assert host.ran[1][0] == tuple(status_argv("d"))
    assert not await Recorded(1).alive("d")


async def test_facts_are_asked_for_once() -> None:
    host = Recorded(
        status=1,
        out=f"{MARK} machine\n6.1 x86_64\n" + "".join(f"{MARK} {q}\n" for q in QUESTIONS if q != "machine"),
    )
    found = await host.facts()
    assert (found.kernel, found is await host.facts()) == ("6.1", True)
    assert [(argv, stdin) for argv, _, stdin, _ in host.ran] == [(("sh",), facts_script().encode())]
