"""Capture of what goes over a link or through a host, as pcapng: one socket per interface.

The sockets are opened in the namespace of the links or of the host and read here, so that no host
needs a program for it and nothing runs on it. A link is seen at both its ends: what host A sends is
seen at A before, and at B after the link's delay, rate and loss.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from lab.emulation.links import netns, timestamps
from lab.emulation.registry import HostRecord, Record
from lab.errors import CommandError, FileError, HostError, LabError, UnknownName

ETH_P_ALL, PACKET_OUTGOING = 3, 4
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
#: Bytes of packets that wait to be read, per interface.
BACKLOG = 32 << 20
#: The largest packet: hosts hand over up to 64 KiB at once.
LONGEST = 65_549
#: Packets that are read of one interface before another one's turn.
BATCH = 256

#: Of pcapng (draft-ietf-opsawg-pcapng): link type, kinds of blocks, byte order, flags of packets.
ETHERNET = 1
SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
MAGIC = 0x1A2B3C4D
INBOUND, OUTBOUND = 1, 2
#: Options: of the section (the program), of an interface, of a packet, and of the statistics.
PROGRAM, NAME, DESCRIPTION, RESOLUTION, FLAGS, RECEIVED, DROPPED = 4, 2, 3, 9, 2, 4, 5
NANOSECONDS = b"\x09"


@dataclass(frozen=True)
class CapturePoint:
    """An interface to be watched: in which namespace, and what to call it.

    On a link's port what comes in is what the host at that end sends: then `inverted` is set.
    """

    namespace: str
    interface: str
    name: str
    about: str
    inverted: bool = False


@dataclass
class Limits:
    """Limits at which a capture ends by itself: seconds, bytes of file, packets; None is never."""

    seconds: float | None = None
    size: int | None = None
    packets: int | None = None
    longest: int = LONGEST


def capture_points(record: Record, place: str, end: str = "") -> list[CapturePoint]:
    """The interfaces of a link (both ends, or that at host `end`) or of a host.

    Raises:
        UnknownName: there is no such link or host; the error has the nearest name.
        HostError: the host has died.
    """
    hosts = {host.name: host for host in record.hosts}
    links = {link["name"]: link for link in record.links}
    for link in record.links:  # a link may be named from either end
        links.setdefault(f"{link['b']}-{link['a']}", link)
    if place in hosts:
        return _of_host(hosts[place], record)
    if place not in links:
        raise UnknownName("link or host", place, [*hosts, *(link["name"] for link in record.links)])
    link = links[place]
    if end and end not in (link["a"], link["b"]):
        raise UnknownName(f"end of link {link['name']}", end, (link["a"], link["b"]))
    namespace = netns.path(netns.of_lab(record.lab_id))
    return [
        CapturePoint(
            namespace, f"{link['number']}{side}", f"{link['name']}@{link[side]}", f"at {link[side]}", True
        )
        for side in ("a", "b")
        if end in ("", link[side])
    ]


def _of_host(host: HostRecord, record: Record) -> list[CapturePoint]:
    if not host.process.alive():
        raise HostError(f"{host.name} of lab {record.name} has died; 'lab ps' says why")
    own = {
        link[f"interface_{side}"]: link for link in record.links for side in "ab" if link[side] == host.name
    }
    return [CapturePoint(netns.path(host.pid), port, port, link["name"]) for port, link in own.items()]


def compile_filter(
    prefix: Sequence[str], expression: str, env: dict[str, str] | None = None
) -> list[tuple[int, ...]]:
    """Compile a filter to its instructions, by tcpdump, which every host of the lab's own kind has.

    `prefix` goes before the command, to get to where tcpdump is.

    Raises:
        LabError: the expression is no filter; has tcpdump's words.
    """
    argv = [*prefix, "tcpdump", "-p", "-y", "EN10MB", "-ddd", expression]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env, timeout=20)
    except FileNotFoundError as error:
        raise CommandError("this machine", argv, 127, "", "tcpdump is not installed") from error
    if done.returncode:
        lines = (done.stderr.strip() or "no word").splitlines()
        raise LabError(f"{expression!r} is no filter: {lines[-1].removeprefix('tcpdump: ')}")
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()[1:]]


@contextmanager
def open_sockets(
    where: Sequence[CapturePoint], program: Sequence[tuple[int, ...]] = ()
) -> Iterator[list[socket.socket]]:
    """A socket on each of these interfaces, that gets what the filter lets pass.

    Raises:
        LabError: an interface is not there.
    """
    namespaces = {str(n): spot.namespace for n, spot in enumerate(where)}
    sockets = netns.in_each(namespaces, lambda n: _open(where[int(n)], program))
    try:
        for n, spot in enumerate(where):
            if str(n) not in sockets:
                raise LabError(f"{spot.name} is not there (any more); 'lab ps' shows what there is")
        yield [sockets[str(n)] for n in range(len(where))]
    finally:
        for one in sockets.values():
            one.close()


def _open(spot: CapturePoint, program: Sequence[tuple[int, ...]]) -> socket.socket:
    """Bound last: before that the socket gets no packets, so no packet escapes the filter."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BACKLOG)
        timestamps.enable(made)
        if program:
            import ctypes

            code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
            address = struct.pack("HL", len(program), ctypes.addressof(code))
            made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, address)
        made.setblocking(False)
        made.bind((spot.interface, ETH_P_ALL))
    except BaseException:
        made.close()
        raise
    return made


class Writer:
    """Whole blocks, and nothing but whole blocks, into a file or a pipe."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name, self.size = file, name, 0

    def write(self, data: bytes) -> None:
        """Write blocks.

        Raises:
            FileError: it cannot be written; what was written before is whole.
            BrokenPipeError: whoever read it has gone.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self.size)
            raise FileError(
                f"{self._name} cannot be written any further ({error.strerror}); its data until now "
                f"are complete: {self.size} bytes"
            ) from error
        self.size += len(data)


class Capture:
    """Packets of one socket per interface, written as pcapng until a limit is reached.

    `packets` and `missed` count those that are in the file and those that there was no time to keep; `why`
    says why it ended.
    """

    def __init__(
        self, where: Sequence[CapturePoint], sockets: Sequence[socket.socket], writer: Writer, limits: Limits
    ) -> None:
        self._where, self._sockets, self._writer, self._limits = where, sockets, writer, limits
        self._seen, self._buffer = [0] * len(where), memoryview(bytearray(LONGEST))[: limits.longest]
        self.packets, self.missed, self.why = 0, 0, "stopped"

    def run(self) -> None:
        """Write down packets until a limit is reached or `KeyboardInterrupt` comes.

        Raises:
            FileError: the file cannot be written any further.
        """
        points = (interface_block(one.name, one.about, self._limits.longest) for one in self._where)
        try:
            self._writer.write(b"".join([section_block("lab"), *points]))
            with suppress(KeyboardInterrupt):
                self._read_all()
            self._writer.write(b"".join(self._statistics()))
        except BrokenPipeError:
            self.why = "no program reads it any more"

    def _read_all(self) -> None:
        seconds = self._limits.seconds
        until = None if seconds is None else time.monotonic() + seconds
        numbers = {one.fileno(): n for n, one in enumerate(self._sockets)}
        while not self._over(until):
            wait = 1.0 if until is None else max(0.0, min(1.0, until - time.monotonic()))
            ready, _, _ = select.select(self._sockets, [], [], wait)
            for one in ready:
                number = numbers[one.fileno()]
                blocks = self._read(one, number)
                self._writer.write(b"".join(blocks))
                self.packets += len(blocks)
                self._seen[number] += len(blocks)

    def _over(self, until: float | None) -> bool:
        """Return True when a limit is reached, and keep which."""
        limits = self._limits
        if limits.packets is not None and self.packets >= limits.packets:
            self.why = f"{limits.packets} packets were asked for"
        elif limits.size is not None and self._writer.size >= limits.size:
            self.why = f"{limits.size} bytes were allowed"
        elif until is not None and time.monotonic() >= until:
            self.why = f"{limits.seconds:g} s were asked for"
        else:
            return False
        return True

    def _read(self, one: socket.socket, number: int) -> list[bytes]:
        """Packets that wait at a socket, each as a block."""
        blocks: list[bytes] = []
        most = BATCH if self._limits.packets is None else min(BATCH, self._limits.packets - self.packets)
        with suppress(BlockingIOError):
            while len(blocks) < most:
                length, extra, _, address = one.recvmsg_into([self._buffer], 64, socket.MSG_TRUNC)
                when = timestamps.arrival(extra) or time.time_ns()
                outbound = (address[2] == PACKET_OUTGOING) != self._where[number].inverted
                kept = bytes(self._buffer[:length])
                blocks.append(packet_block(number, when, kept, length, outbound=outbound))
        return blocks

    def _statistics(self) -> Iterator[bytes]:
        for number, one in enumerate(self._sockets):
            # packets that the kernel had for the socket since it was opened, and those it had no room for
            _, dropped = struct.unpack("=II", one.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            self.missed += dropped
            yield statistics_block(number, time.time_ns(), self._seen[number] + dropped, dropped)


def _block(kind: int, body: bytes) -> bytes:
    """A block: its length is before and after it."""
    length = 12 + len(body)
    return struct.pack("=II", kind, length) + body + struct.pack("=I", length)


def _option(code: int, value: bytes) -> bytes:
    """An option, padded to four bytes."""
    return struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


END = struct.pack("=HH", 0, 0)


def section_block(program: str) -> bytes:
    """The section header, with which a file begins."""
    head = struct.pack("=IHHq", MAGIC, 1, 0, -1)
    return _block(SECTION, head + _option(PROGRAM, program.encode()) + END)


def interface_block(name: str, description: str, longest: int) -> bytes:
    """An Ethernet interface; packets name it by its place among these blocks, from 0. Times are in ns."""
    head = struct.pack("=HHI", ETHERNET, 0, longest)
    options = _option(NAME, name.encode()) + _option(DESCRIPTION, description.encode())
    return _block(INTERFACE, head + options + _option(RESOLUTION, NANOSECONDS) + END)


def packet_block(number: int, when: int, data: bytes, length: int, *, outbound: bool) -> bytes:
    """A packet of interface `number`, at `when` (ns since 1970); `data` was kept of its `length` bytes."""
    head = struct.pack("=IIIII", number, when >> 32, when & 0xFFFFFFFF, len(data), length)
    flags = _option(FLAGS, struct.pack("=I", OUTBOUND if outbound else INBOUND))
    return _block(PACKET, head + data + bytes(-len(data) % 4) + flags + END)


def statistics_block(number: int, when: int, received: int, dropped: int) -> bytes:
    """Counts of the packets that an interface saw, and of those that could not be kept."""
    head = struct.pack("=III", number, when >> 32, when & 0xFFFFFFFF)
    counts = _option(RECEIVED, struct.pack("=Q", received)) + _option(DROPPED, struct.pack("=Q", dropped))
    return _block(STATISTICS, head + counts + END)
