"""Blocks of a capture file (pcapng, draft-ietf-opsawg-pcapng), as bytes; nothing is written here."""

from __future__ import annotations

import struct

ETHERNET = 1
SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
MAGIC = 0x1A2B3C4D
INBOUND, OUTBOUND = 1, 2
#: Options: of the section (the program), of an interface, of a packet, and of the statistics.
PROGRAM, NAME, DESCRIPTION, RESOLUTION, FLAGS, RECEIVED, DROPPED = 4, 2, 3, 9, 2, 4, 5
NANOSECONDS = b"\x09"


def block(kind: int, body: bytes) -> bytes:
    """A block: its length stands before and after it."""
    length = 12 + len(body)
    return struct.pack("=II", kind, length) + body + struct.pack("=I", length)


def option(code: int, value: bytes) -> bytes:
    """An option, padded to four bytes."""
    return struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


END = struct.pack("=HH", 0, 0)


def section(program: str) -> bytes:
    """What a file begins with."""
    head = struct.pack("=IHHq", MAGIC, 1, 0, -1)
    return block(SECTION, head + option(PROGRAM, program.encode()) + END)


def interface(name: str, description: str, longest: int) -> bytes:
    """An Ethernet interface; packets name it by its place among these blocks, from 0. Times are in ns."""
    head = struct.pack("=HHI", ETHERNET, 0, longest)
    words = option(NAME, name.encode()) + option(DESCRIPTION, description.encode())
    return block(INTERFACE, head + words + option(RESOLUTION, NANOSECONDS) + END)


def packet(number: int, when: int, data: bytes, length: int, *, outbound: bool) -> bytes:
    """A packet of interface `number`, at `when` (ns since 1970); `data` was kept of its `length` bytes."""
    head = struct.pack("=IIIII", number, when >> 32, when & 0xFFFFFFFF, len(data), length)
    flags = option(FLAGS, struct.pack("=I", OUTBOUND if outbound else INBOUND))
    return block(PACKET, head + data + bytes(-len(data) % 4) + flags + END)


def statistics(number: int, when: int, received: int, dropped: int) -> bytes:
    """How many packets an interface saw, and how many of them could not be kept."""
    head = struct.pack("=III", number, when >> 32, when & 0xFFFFFFFF)
    counts = option(RECEIVED, struct.pack("=Q", received)) + option(DROPPED, struct.pack("=Q", dropped))
    return block(STATISTICS, head + counts + END)
