"""The wire's packet filter: which queue a packet waits in, which packets are lost.

One table per address family, replaced as a whole: no packet ever meets half a rule set.
What no rule names is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lab.emulation.shape import DIRECTIONS, Line

#: The two programs of each family, by the variant that works on a kernel.
VARIANTS = ("nft", "legacy")

CAME = r"-A FORWARD -m physdev\s+--physdev-in (\S+) "
QUEUED = re.compile(CAME + r"-j NFQUEUE --queue-num (\d+)")
LOST = re.compile(CAME + r"-m statistic --mode random --probability (\S+) -j DROP")


def restore(variant: str, family: int) -> list[str]:
    """The argv that replaces tables; `family` is 4 or 6."""
    return [_program(variant, family) + "-restore", "-w", "5"]


def save(variant: str, family: int) -> list[str]:
    """The argv that prints the table."""
    return [_program(variant, family) + "-save", "-t", "mangle"]


def _program(variant: str, family: int) -> str:
    return f"{'iptables' if family == 4 else 'ip6tables'}-{variant}"


def queue_number(line: Line, direction: str) -> int:
    """The netfilter queue of a direction."""
    return 2 * line.number + DIRECTIONS.index(direction)


def table(lines: Iterable[Line]) -> bytes:
    """The whole table, as the input of `restore`."""
    rules = ["*mangle", ":FORWARD DROP [0:0]"]
    for line in lines:
        for direction in DIRECTIONS:
            came = f"-A FORWARD -m physdev --physdev-in {line.port_in(direction)}"
            if loss := line.shape(direction).loss:
                rules.append(f"{came} -m statistic --mode random --probability {loss / 100:.9f} -j DROP")
            rules.append(f"{came} -j NFQUEUE --queue-num {queue_number(line, direction)}")
    return ("\n".join([*rules, "COMMIT"]) + "\n").encode()


@dataclass(frozen=True)
class Rules:
    """What a table says: `policy` of what no rule names, `queues` and `loss` (percent) by port."""

    policy: str
    queues: dict[str, int]
    loss: dict[str, float]
    others: tuple[str, ...]


def parse(text: str) -> Rules:
    """What `save` printed. Rules that the wire did not write are in `others`."""
    policy = re.search(r"^:FORWARD (\S+)", text, re.MULTILINE)
    queues, loss, others = {}, {}, []
    for rule in re.findall(r"^-A .*$", text, re.MULTILINE):
        queue, lost = QUEUED.fullmatch(rule), LOST.fullmatch(rule)
        if queue:
            queues[queue[1]] = int(queue[2])
        elif lost:
            loss[lost[1]] = 100 * float(lost[2])
        else:
            others.append(rule)
    return Rules(policy[1] if policy else "none", queues, loss, tuple(others))
