"""What commands print on a host over SSH is in a file as it arrives, and no secret is in it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from lab.errors import FileError, HostLost
from lab.events import Event, Note
from lab.hosts.command import Trace
from lab.hosts.command_log import OUT, CommandLog
from lab.hosts.host import Private, Secret
from lab.hosts.ssh import SshHost
from lab.hosts.ssh_connection import SshConnection
from tests.unit.sshd import Server, serving

SECRET = "sesame-open\nand its second line"


def hearing(server: Server, folder: Path) -> tuple[SshHost, SshConnection, Path]:
    """A host whose commands are logged, the line to it, and the file."""
    file = folder / "hosts" / "AMS.log"
    line = SshConnection(server.settings(), CommandLog(file))
    return SshHost("AMS", "AMS", (), line, sudo=False), line, file


async def end(line: SshConnection) -> None:
    await line.close()
    assert line.log is not None
    line.log.close()


def without_times(text: str) -> list[str]:
    stamp = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    lines = text.splitlines()
    assert all(re.match(stamp, line) for line in lines), text
    return [re.sub(r", \d+\.\d{3} s", "", re.sub(stamp, "", line)) for line in lines]


async def until_in(file: Path, words: str) -> None:
    while words not in file.read_text():
        await asyncio.sleep(0.01)


async def test_a_command_its_output_and_its_end_are_lines_with_the_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ams, line, file = hearing(server, tmp_path)
        await ams.run(["sh", "-c", "cat; printf 'no end' >&2; exit 3"], stdin=b"one\ntwo\n", check=False)
        await end(line)
    assert without_times(file.read_text()) == [
        "1 $ sh -c 'cat; printf '\"'\"'no end'\"'\"' >&2; exit 3'",
        "1 out one",
        "1 out two",
        "1 err no end",
        "1 end status 3",
    ]


async def test_what_was_printed_before_a_cut_is_there_while_the_command_hangs_and_after(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        ams, line, file = hearing(server, tmp_path)
        await ams.run(["true"])
        under_way = asyncio.ensure_future(ams.run(["sh", "-c", "printf 'so far\\nhalf'; sleep 30"]))
        await until_in(file, "out so far")
        assert not under_way.done()
        server.cut()
        with pytest.raises(HostLost):
            await under_way
        await end(line)
    assert without_times(file.read_text())[-3:] == ["2 out so far", "2 out half", "2 end not ended"]


async def test_what_was_printed_before_this_end_gave_up_is_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ams, line, file = hearing(server, tmp_path)
        under_way = asyncio.ensure_future(ams.run(["sh", "-c", "echo so far; sleep 30"]))
        await asyncio.sleep(0)
        await until_in(file, "out so far")
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        await end(line)
    assert without_times(file.read_text())[1:] == ["1 out so far", "1 end not ended"]


async def test_side_by_side_commands_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ams, line, file = hearing(server, tmp_path)
        await asyncio.gather(*(ams.run(["echo", f"word{n}"]) for n in range(12)))
        await end(line)
    lines = without_times(file.read_text())
    asked = dict(re.findall(r"^(\d+) \$ echo (word\d+)$", "\n".join(lines), re.M))
    told = dict(re.findall(r"^(\d+) out (word\d+)$", "\n".join(lines), re.M))
    assert len(asked) == 12
    assert asked == told


async def test_no_secret_no_input_and_nothing_of_a_file_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "private.key").write_text("a key of somebody\n")
    async with serving(tmp_path) as server:
        file = tmp_path / "hosts" / "AMS.log"
        line = SshConnection(server.settings(), CommandLog(file))
        ams = SshHost("AMS", "AMS", (), Trace(tmp_path / "trace.sh", line))
        said = await ams.run(
            ["sh", "-c", 'echo "it is $WORD"; cat >/dev/null'], stdin=b"typed in", env={"WORD": SECRET}
        )
        await ams.run(["echo", SECRET])
        await ams.put(b"written to a file", str(tmp_path / "file"))
        assert await ams.get(str(tmp_path / "private.key")) == b"a key of somebody\n"
        fed = Secret(b"join with SWMTKN-1\n", {"swarm join token": "SWMTKN-1"})
        echoed = await ams.run(["cat"], stdin=fed)
        token = await ams.run(Private(["echo", "t0ken"]), check=False)
        await end(line)
    assert said.stdout == f"it is {SECRET}\n"
    assert echoed.stdout == "join with SWMTKN-1\n"
    assert token.stdout == "t0ken\n"
    text = file.read_text()
    for secret in (*SECRET.split("\n"), "c2VzYW1l", "typed in", "written to a file", "YSBrZXkgb2Y", "SWMTKN"):
        assert secret not in text, text
    assert "SWMTKN" not in (tmp_path / "trace.sh").read_text()
    lines = without_times(text)
    assert "1 out it is ***" in lines
    assert "1 out ***" in lines
    assert lines[0].endswith("# with WORD in its environment")
    assert f"4 $ base64 -w0 {tmp_path}/private.key" in lines
    assert "4 end status 0, 24 bytes that are not kept here" in lines
    assert "5 out join with ***" in lines
    assert "6 end status 0, 6 bytes that are not kept here" in lines


async def test_a_resumed_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for word in ("first", "second"):
        log = CommandLog(tmp_path / "AMS.log")
        with log.command(["echo", word], None) as command:
            command.add(OUT, f"{word}\n".encode())
            command.status = 0
        log.close()
    assert [line for line in without_times((tmp_path / "AMS.log").read_text()) if "out" in line] == [
        "1 out first",
        "1 out second",
    ]


def test_a_secret_that_arrives_in_two_pieces_is_none_of_the_lines(tmp_path: Path) -> None:
    log = CommandLog(tmp_path / "AMS.log")
    with log.command(["weaver"], {"PASSWORD": "sesame", "FLAG": "1"}) as command:
        command.add(OUT, b"1 word: ses")
        command.add(OUT, b"ame\nses")
        command.add(OUT, b"ame")
    log.close()
    lines = without_times((tmp_path / "AMS.log").read_text())
    assert lines[1:] == ["1 out 1 word: ***", "1 out ***", "1 end not ended"]


def test_bytes_that_are_no_text_leave_a_mark_and_hide_no_line(tmp_path: Path) -> None:
    log = CommandLog(tmp_path / "AMS.log")
    with log.command(["cat"], None) as command:
        command.add(OUT, b"\xff\xfe\nnext\n")
    log.close()
    lines = without_times((tmp_path / "AMS.log").read_text())
    mark = "\N{REPLACEMENT CHARACTER}"
    assert lines[1:] == [f"1 out {mark}{mark}", "1 out next", "1 end not ended"]


def test_a_full_disk_is_told_once_and_stops_no_command() -> None:
    said: list[Event] = []
    log = CommandLog(Path("/dev/full"), said.append)
    with log.command(["true"], None) as command:
        command.add(OUT, b"line\n")
    log.close()
    with log.command(["true"], None):
        pass
    assert said == [Note("/dev/full cannot be written: No space left on device; it has gaps from here on")]


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("")
    with pytest.raises(FileError, match=r"hosts/AMS.log cannot be written: .*; make room for it"):
        CommandLog(tmp_path / "hosts" / "AMS.log")


def test_of_two_secrets_the_longer_one_is_hidden_first(tmp_path: Path) -> None:
    log = CommandLog(tmp_path / "AMS.log")
    with log.command(["x"], {"A": "zz", "B": "azzb"}) as command:
        command.add(OUT, b"azzb zz\n")
    log.close()
    assert without_times((tmp_path / "AMS.log").read_text())[1] == "1 out *** ***"
