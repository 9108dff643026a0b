"""A circuit that fails and returns: cutting it, and how long nobody answers meanwhile.

A circuit is cut by dropping what arrives over it at both ends. The devices stay up, as those of a
machine do when a circuit fails somewhere behind its port: an overlay has to notice by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from lab.errors import MeasureError
from lab.hosts.host import CommandRunner

NAME = "ping"
#: Time between two echo requests (s), and so the grain of all times here.
INTERVAL = 0.1
#: How long answers are watched before the cut (s).
LEAD = 2.0
_ANSWER = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) .*time=([\d.]+) ms", re.MULTILINE)


class PingReply(NamedTuple):
    """An answer: when it came (s since the epoch) and the round trip (ms)."""

    at: float
    rtt: float

    @property
    def sent(self) -> float:
        return self.at - self.rtt / 1000


def ping_argv(address: str, seconds: float, interval: float = INTERVAL) -> list[str]:
    """Echo requests every `interval` (s) for `seconds` (s), each answer with its time.

    They are counted: with a deadline (``-w``) ping ends at the first "Destination Host
    Unreachable", which is what a dark circuit soon makes of the neighbour's address.
    """
    count = round(seconds / interval)
    return [NAME, "-n", "-D", "-i", f"{interval:g}", "-W", "2", "-c", str(count), address]


def cut_argv(interface: str, *, insert: bool) -> list[str]:
    """Drop what arrives over a device, or no longer."""
    return [
        *("iptables", "-w", "-t", "mangle", "-I" if insert else "-D"),
        *("PREROUTING", "-i", interface, "-j", "DROP"),
    ]


async def mend(host: CommandRunner, interface: str) -> None:
    """Take the rule of `cut_argv` away, however often it is there."""
    while (await host.run(cut_argv(interface, insert=False), check=False)).status == 0:
        pass


def parse(raw: str) -> dict[str, float]:
    """How long nobody answered (s) after the cut and after the return, and the round trips (ms).

    `dark_s` counts from the cut to the first answer to a request sent after it. `around` is 1
    where that came before the circuit was about to return, over another way, and 0 where nobody
    answered until then: then `dark_s` is no property of the overlay. `gap_s` is the longest silence
    after the return, which takes a moment: answers may come in the middle of it.

    Raises:
        MeasureError: there was no answer before the cut, or none any more after the return.
    """
    try:
        record = json.loads(raw)
        text, cut, restored = record["ping"], float(record["cut"]), float(record["restored"])
        mending = float(record.get("mending", restored))
    except (ValueError, KeyError, TypeError):
        raise MeasureError(NAME, "left no whole record of a circuit's failure", raw) from None
    answers = [PingReply(float(at), float(rtt)) for at, _, rtt in _ANSWER.findall(text)]
    before = [a for a in answers if a.at < cut]
    later = [a for a in answers if a.sent > cut]
    detour = [a for a in later if a.at < mending]
    after = [a for a in answers if a.sent > restored]
    if not before or not after:
        when = "before the circuit was cut" if not before else "after the circuit had returned"
        raise MeasureError(NAME, f"got no answer {when}", raw)
    values = {
        "dark_s": later[0].at - cut,
        "around": float(bool(detour)),
        "gap_s": _longest_silence([restored, *(a.at for a in after)]),
        "rtt_before_ms": median(a.rtt for a in before),
        "rtt_after_ms": median(a.rtt for a in after[-len(after) // 2 :]),
    }
    return values | ({"rtt_detour_ms": median(a.rtt for a in detour)} if detour else {})


def _longest_silence(times: Sequence[float]) -> float:
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def record(ping: str, cut: float, mending: float, restored: float) -> str:
    """The raw text of a sample, from which `parse` gives its values; times are s since the epoch."""
    times = {"cut": cut, "mending": mending, "restored": restored}
    return json.dumps({**times, "ping": ping}, indent=1) + "\n"


def named(ends: Iterable[tuple[str, str]]) -> str:
    """The two ends of a circuit as a parameter: ``AMS:eth1+PRG:eth2``."""
    return "+".join(f"{host}:{interface}" for host, interface in ends)


def parsed(ends: str) -> Mapping[str, str]:
    """What `named` wrote: the device by host."""
    return dict(end.split(":", 1) for end in ends.split("+"))
