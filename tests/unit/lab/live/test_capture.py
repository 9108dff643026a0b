"""Capture files: whole blocks that other programs read, on a disk that gets full and a reader that goes."""

from __future__ import annotations

import os
import resource
import socket
import struct
from pathlib import Path

import pytest

from lab.errors import FileError, UnknownName
from lab.live import capture as module
from lab.live.capture import Capture, CapturePoint, Limits, Writer
from tests.unit.fakes import ME, lab_record


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """The blocks of a file, by a reader that knows nothing of the writer; it fails on half of one."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def test_a_file_has_a_section_interfaces_and_packets() -> None:
    data = module.section_block("lab") + module.interface_block("AMS-PRG@AMS", "at AMS", 65535)
    data += module.packet_block(0, 1_700_000_000_123_456_789, b"\x01\x02\x03", 60, outbound=True)
    (first, second, third) = blocks(data)
    assert first[0] == 0x0A0D0D0A
    assert struct.unpack_from("=IHHq", first[1]) == (0x1A2B3C4D, 1, 0, -1)
    assert struct.unpack_from("=HHI", second[1]) == (1, 0, 65535)
    number, high, low, kept, length = struct.unpack_from("=IIIII", third[1])
    assert (number, (high << 32) + low, kept, length) == (0, 1_700_000_000_123_456_789, 3, 60)
    assert third[1][20:23] == b"\x01\x02\x03"


SPOT = CapturePoint("", "x", "AMS-PRG@AMS", "at AMS", inverted=True)


class Packets(socket.socket):
    """Half of a pair in place of a packet socket: what it receives comes from the host at that end."""

    def recvmsg_into(self, buffers, ancillary=0, flags=0):  # type: ignore[no-untyped-def,override]
        length, extra, found, _ = super().recvmsg_into(buffers, ancillary, flags)
        return length, extra, found, ("x", 0, 0, 1, b"")

    def getsockopt(self, *_):  # type: ignore[no-untyped-def,override]
        return struct.pack("=II", 0, 2)


def packets(count: int, size: int = 100) -> Packets:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(True)
    for n in range(count):
        theirs.send(bytes([n % 256]) * size)
    theirs.close()
    taken = Packets(fileno=ours.detach())
    taken.setblocking(False)
    return taken


def test_packets_are_written_until_there_are_enough(tmp_path: Path) -> None:
    with packets(8) as one, (tmp_path / "x.pcapng").open("wb", buffering=0) as file:
        capture = Capture([SPOT], [one], Writer(file, "x.pcapng"), Limits(packets=5))
        capture.run()
    found = blocks((tmp_path / "x.pcapng").read_bytes())
    assert [kind for kind, _ in found] == [
        module.SECTION,
        module.INTERFACE,
        *[module.PACKET] * 5,
        module.STATISTICS,
    ]
    assert (capture.packets, capture.missed) == (5, 2)
    assert capture.why == "5 packets were asked for"


def test_only_the_beginning_of_packets_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    with packets(1, size=500) as one, (tmp_path / "x").open("wb", buffering=0) as file:
        Capture([SPOT], [one], Writer(file, "x"), Limits(packets=1, longest=64)).run()
    packet = next(body for kind, body in blocks((tmp_path / "x").read_bytes()) if kind == module.PACKET)
    assert struct.unpack_from("=II", packet, 12) == (64, 500)


def test_the_time_ends_it(tmp_path: Path) -> None:
    with packets(0) as one, (tmp_path / "x").open("wb", buffering=0) as file:
        capture = Capture([SPOT], [one], Writer(file, "x"), Limits(seconds=0.0))
        capture.run()
    assert capture.why == "0 s were asked for"


def test_a_full_disk_is_told_and_what_was_written_is_whole(tmp_path: Path) -> None:
    # given a file that may have 2000 bytes and no more
    path = tmp_path / "x.pcapng"
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
            with packets(6, size=400) as one, path.open("wb", buffering=0) as file:
                for _ in range(1):
                    Capture([SPOT], [one], Writer(file, "x.pcapng"), Limits(packets=6)).run()
        except FileError as error:
            status = 0 if "until now are complete" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [kind for kind, _ in blocks(path.read_bytes())][:2] == [module.SECTION, module.INTERFACE]


def test_no_room_at_all_is_told() -> None:
    with (
        packets(1) as one,
        Path("/dev/full").open("wb", buffering=0) as file,
        pytest.raises(FileError, match="No space left"),
    ):
        Capture([SPOT], [one], Writer(file, "/dev/full"), Limits(packets=1)).run()


def test_a_reader_that_goes_away_ends_it_without_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with packets(1) as one, open(writer, "wb", buffering=0) as file:
        capture = Capture([SPOT], [one], Writer(file, "-"), Limits(packets=1))
        capture.run()
    assert capture.why == "no program reads it any more"


def test_a_link_is_captured_at_both_its_ends_or_at_one() -> None:
    lab = lab_record(AMS=ME, PRG=ME)
    assert [spot.interface for spot in module.capture_points(lab, "AMS-PRG")] == ["7a", "7b"]
    assert module.capture_points(lab, "PRG-AMS") == module.capture_points(lab, "AMS-PRG")
    assert [spot.interface for spot in module.capture_points(lab, "AMS-PRG", "PRG")] == ["7b"]
    assert [spot.interface for spot in module.capture_points(lab, "PRG")] == ["eth2"]
    with pytest.raises(UnknownName, match="link or host 'AMS-PRX'"):
        module.capture_points(lab, "AMS-PRX")
    with pytest.raises(UnknownName, match="end of link"):
        module.capture_points(lab, "AMS-PRG", "BRA")
