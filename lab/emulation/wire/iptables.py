"""The wire's packet filter: the queue in which a packet waits, the packets that are lost.

One table per address family, in the namespace of the lab. What no rule names is dropped. All
rules of a change come into force together: no packet ever meets half of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.emulation.links.link import DIRECTIONS, LinkState

#: The two programs of each family, by the variant that works on a kernel.
VARIANTS = ("nft", "legacy")

#: A table without rules, as the input of `restore`.
OPEN = b"*mangle\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"
CAME = r"-A FORWARD -m physdev\s+--physdev-in (\S+) "
QUEUED = re.compile(CAME + r"-j NFQUEUE --queue-num (\d+)")
LOST = re.compile(CAME + r"-m statistic --mode random --probability (\S+) -j DROP")


def families() -> tuple[int, ...]:
    """Return the versions of IP that this kernel has."""
    return (4, 6) if Path("/proc/sys/net/ipv6").exists() else (4,)


def restore(variant: str, family: int) -> list[str]:
    """Return the argv that takes whole tables; `family` is 4 or 6. For an empty namespace only."""
    return [_program(variant, family) + "-restore", "-w", "5"]


def amend(variant: str, family: int) -> list[str]:
    """Return the argv that takes the output of `difference`."""
    return [*restore(variant, family), "--noflush"]


def save(variant: str, family: int) -> list[str]:
    """Return the argv that prints the table."""
    return [_program(variant, family) + "-save", "-t", "mangle"]


def _program(variant: str, family: int) -> str:
    return f"{'iptables' if family == 4 else 'ip6tables'}-{variant}"


def port_rules(link: LinkState, direction: str) -> list[str]:
    """Return the rules of one direction, in the order in which a packet meets them."""
    came = f"FORWARD -m physdev --physdev-in {link.port_in(direction)}"
    rules = [f"{came} -j NFQUEUE --queue-num {link.direction_number(direction)}"]
    shape = link.shape(direction)
    if (loss := shape.loss) and shape.burst is None:  # bursts are the process's work
        rules.insert(0, f"{came} -m statistic --mode random --probability {loss / 100:.9f} -j DROP")
    return rules


def table(links: Iterable[LinkState]) -> bytes:
    """Return the whole table, as the input of `restore`."""
    rules = [f"-A {rule}" for link in links for d in DIRECTIONS for rule in port_rules(link, d)]
    return _input([":FORWARD DROP [0:0]", *rules])


def difference(before: Iterable[LinkState], after: Iterable[LinkState]) -> bytes | None:
    """Return what turns one set of rules into another, at once, as the input of `amend`; None for nothing.

    Packets are held by a hook of the table: replacing the table would drop them all.
    """
    old, new = _by_port(before), _by_port(after)
    changed = [port for port in {**old, **new} if old.get(port) != new.get(port)]
    away = [f"-D {rule}" for port in changed for rule in old.get(port, [])]
    come = [f"-A {rule}" for port in changed for rule in new.get(port, [])]
    return _input(away + come) if changed else None


def _by_port(links: Iterable[LinkState]) -> dict[str, list[str]]:
    return {link.port_in(d): port_rules(link, d) for link in links for d in DIRECTIONS}


def _input(lines: list[str]) -> bytes:
    return "\n".join(["*mangle", *lines, "COMMIT", ""]).encode()


@dataclass(frozen=True)
class Rules:
    """The rules of a table: `policy` of what no rule names, `queues` and `loss` (percent) by port."""

    policy: str
    queues: dict[str, int]
    loss: dict[str, float]
    others: tuple[str, ...]


def parse(text: str) -> Rules:
    """Read what `save` printed. Rules that the wire did not write are in `others`."""
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
