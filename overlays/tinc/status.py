"""The nodes that a tinc daemon writes to its log when it is asked for them (SIGUSR2).

A line of tinc 1.0:
`` AMS at 192.168.1.1 port 655 cipher 0 digest 0 maclength 4 compression 0 options d status 003a
nexthop AMS via PRG pmtu 1468 (min 1468 max 1468)``
The path MTU counts the inner Ethernet header. It is found by probes over UDP, so a known
least one means that UDP works; larger frames the daemon sends over its TCP connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NODE = re.compile(
    r"^\s*(?P<name>\w+) at (?P<address>\S+) port \S+ cipher (?P<cipher>\d+) .*status (?P<status>[0-9a-f]+) "
    r"nexthop (?P<nexthop>\S+) via \S+ pmtu \d+ \(min (?P<least>\d+) max (?P<most>\d+)\)"
)
#: Bits of a node's status in tinc 1.0.
VALID_KEY, REACHABLE = 0x02, 0x10
BEGIN, END = "Nodes:", "End of nodes."


@dataclass(frozen=True)
class TincNode:
    """A node as another one sees it; `nexthop` is the next hop for its packets."""

    name: str
    cipher: int
    status: int
    nexthop: str
    least: int
    most: int

    def lacking(self, frame: int) -> str:
        """Return the part of the direct way to this node that is not settled yet; "" when all is.

        It is once frames of so many bytes pass over UDP, or all that the path carries. The last bytes of a
        path MTU are found by chance, in seconds.
        """
        if not self.status & REACHABLE:
            return f"{self.name} is not reachable"
        if not (self.status & VALID_KEY and self.least):
            return f"UDP to {self.name} is not confirmed"
        if self.least < min(frame, self.most):
            return f"the path MTU to {self.name} is between {self.least} and {self.most}"
        return ""


def dump(log: str) -> str:
    """Return the last complete list of nodes in a log; empty when there is none."""
    end = log.rfind(END)
    begin = log.rfind(BEGIN, 0, max(end, 0))
    return log[begin:end] if 0 <= begin < end else ""


def nodes(log: str) -> dict[str, TincNode]:
    """Return the nodes of the last complete list, by name."""
    found = (_NODE.match(line) for line in dump(log).splitlines())
    return {
        m["name"]: TincNode(
            name=m["name"],
            cipher=int(m["cipher"]),
            status=int(m["status"], 16),
            nexthop=m["nexthop"],
            least=int(m["least"]),
            most=int(m["most"]),
        )
        for m in found
        if m
    }


def lacking(log: str, frame: int, neighbours: Iterable[str], names: Iterable[str]) -> str:
    """Return what is missing until every neighbour is settled and everybody can be reached, or ""."""
    seen = nodes(log)
    words = [seen[n].lacking(frame) if n in seen else f"{n} is unknown" for n in neighbours]
    words += [f"{n} is not reachable" for n in names if n not in seen or not seen[n].status & REACHABLE]
    return "; ".join(dict.fromkeys(filter(None, words)))
