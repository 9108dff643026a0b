"""Round trips over links, by one small packet a link now and then, without ever waiting for an answer.

The kernel notes when an answer came, so it may lie in its socket until the next look.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from lab.emulation.links import netns
from lab.emulation.links.icmp import EchoSocket

#: Echoes per look, over all links together: a lab with more links is asked in turn.
PER_LOOK = 20
#: Echoes per socket, whose numbers have 16 bits.
LARGEST = 60_000
#: Echoes in a row without an answer after which a link counts as silent.
SILENT = 2


class EchoTarget(NamedTuple):
    """One end of a link: a path of its network namespace, and the address at the other end."""

    namespace: str
    address: str


class Echoes:
    """Keeps the last round trip (ms) of each link, in `rtts`: None where the last echoes had no answer."""

    def __init__(self, targets: Mapping[str, EchoTarget]) -> None:
        self._targets = dict(targets)
        self._sockets: dict[str, EchoSocket] = {}
        self._turn = 0
        self.rtts: dict[str, float | None] = {}

    def receive(self) -> set[str]:
        """Take the answers that came since the last echoes; returns the links with news."""
        news = set()
        for name, echo in list(self._sockets.items()):
            if echo.sent and self._read(name, echo):
                news.add(name)
        return news

    def send(self) -> None:
        """Send the next echoes, at most `PER_LOOK`."""
        names = list(self._targets)
        chosen = [names[(self._turn + n) % len(names)] for n in range(min(PER_LOOK, len(names)))]
        self._turn += len(chosen)
        self._open(name for name in chosen if name not in self._sockets)
        for name in chosen:
            if echo := self._sockets.get(name):
                with suppress(OSError):
                    echo.send()
                if len(echo.sent) == 1:  # the first one waits for the neighbour's address as well
                    with suppress(OSError):
                        echo.send()

    def close(self) -> None:
        """Close all sockets."""
        for echo in self._sockets.values():
            echo.socket.close()
        self._sockets.clear()

    def _read(self, name: str, echo: EchoSocket) -> bool:
        before = len(echo.rtts)
        with suppress(OSError):
            echo.receive()
        if len(echo.rtts) > before:
            self.rtts[name] = min(islice(reversed(echo.rtts.values()), min(2, len(echo.rtts) - before)))
        elif self._silence(echo) >= SILENT and self.rtts.get(name, 0.0) is not None:
            self.rtts[name] = None
        else:
            return False
        if len(echo.sent) > LARGEST:
            echo.socket.close()
            del self._sockets[name]
        return True

    @staticmethod
    def _silence(echo: EchoSocket) -> int:
        """Count the last echoes that had no answer."""
        return len(echo.sent) - 1 - max(echo.rtts, default=-1)

    def _open(self, names: Iterable[str]) -> None:
        wanted = {name: self._targets[name] for name in names}
        if not wanted:
            return
        numbers = {name: os.getpid() + number for number, name in enumerate(self._targets)}
        self._sockets |= netns.in_each(
            {name: target.namespace for name, target in wanted.items()},
            lambda name: EchoSocket(wanted[name].address, numbers[name]),
        )
