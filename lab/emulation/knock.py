"""The round trip of many links at one moment, by one process: for a look at a lab, not for a calibration.

A thread enters the hosts' network namespaces one after the other and leaves a socket in each; then
one echo goes over every link at once. The answers are timed by the kernel.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from lab.emulation.links.icmp import SO_TIMESTAMPNS, answer, request

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
#: Echoes per link: the first waits for the neighbour's hardware address as well.
ECHOES, BETWEEN = 2, 0.01

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Knock:
    """A link to be tried: from which namespace (a path), to which address."""

    namespace: str
    address: str


def within(namespaces: Mapping[str, str], work: Callable[[str], T]) -> dict[str, T]:
    """Do work in several network namespaces, by a thread that goes through them.

    One that cannot be entered is left out.

    Args:
        namespaces: paths, by any name.
        work: called with that name.
    """

    def go() -> dict[str, T]:
        found = {}
        for name, path in namespaces.items():
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    if _libc.setns(descriptor, CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(descriptor)
                found[name] = work(name)
        return found

    # the thread ends with its namespace; no other work ever runs in it
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(go).result()


def knock(links: Mapping[str, Knock], patience: float) -> dict[str, float]:
    """Round trips (ms) by link, for those that answered within `patience` (s)."""
    numbers = {name: (os.getpid() + n) & 0xFFFF for n, name in enumerate(links)}
    sockets = within({name: one.namespace for name, one in links.items()}, lambda _: _socket())
    try:
        return _echoes(links, numbers, sockets, patience)
    finally:
        for one in sockets.values():
            one.close()


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.setblocking(False)
    return made


def _echoes(
    links: Mapping[str, Knock],
    numbers: Mapping[str, int],
    sockets: Mapping[str, socket.socket],
    patience: float,
) -> dict[str, float]:
    sent: dict[tuple[str, int], int] = {}
    found: dict[str, float] = {}
    deadline = time.monotonic() + patience
    for number in range(ECHOES):
        for name, one in sockets.items():
            sent[name, number] = time.time_ns()
            with suppress(OSError):
                one.sendto(request(numbers[name], number), (links[name].address, 0))
        until = deadline if number == ECHOES - 1 else time.monotonic() + BETWEEN
        while (left := until - time.monotonic()) > 0 and not _all_in(found, sockets, number):
            ready = select.select(list(sockets.values()), [], [], left)[0]
            _take([name for name, one in sockets.items() if one in ready], sockets, numbers, sent, found)
    return found


def _all_in(found: Mapping[str, float], sockets: Mapping[str, socket.socket], number: int) -> bool:
    return number == ECHOES - 1 and len(found) == len(sockets)


def _take(
    names: Sequence[str],
    sockets: Mapping[str, socket.socket],
    numbers: Mapping[str, int],
    sent: Mapping[tuple[str, int], int],
    found: dict[str, float],
) -> None:
    """Take the answers that came; of a link's two the shorter counts."""
    for name in names:
        with suppress(BlockingIOError):
            while True:
                packet, extra, _, _ = sockets[name].recvmsg(2048, 128)
                number = answer(packet, numbers[name])
                if number is None or (name, number) not in sent or not extra:
                    continue
                seconds, rest = struct.unpack("=qq", extra[0][2][:16])
                took = (seconds * 1_000_000_000 + rest - sent[name, number]) / 1e6
                found[name] = min(took, found.get(name, took))
