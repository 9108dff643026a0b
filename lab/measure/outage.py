"""A link that fails and is repaired: the cut, and the length of the outage.

A circuit is cut by dropping what arrives over it at both ends. The devices stay up, as those of a
machine do when a circuit fails somewhere behind its port: an overlay has to notice by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from statistics import median

from lab.errors import MeasureError
from lab.hosts.host import CommandRunner
from lab.measure.ping import NAME, replies

#: How long answers are watched before the cut (s).
LEAD = 2.0


def drop_argv(interface: str, *, insert: bool) -> list[str]:
    """Return the command that drops what arrives over a device, or ends that."""
    return [
        *("iptables", "-w", "-t", "mangle", "-I" if insert else "-D"),
        *("PREROUTING", "-i", interface, "-j", "DROP"),
    ]


async def restore(host: CommandRunner, interface: str) -> None:
    """Take the rule of `drop_argv` away, however often it is there."""
    while (await host.run(drop_argv(interface, insert=False), check=False)).status == 0:
        pass


def parse(raw: str) -> dict[str, float]:
    """Return the length of the outage (s) after the cut and after the repair, and the round trips (ms).

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
        raise MeasureError(NAME, "left no complete record of a link's failure", raw) from None
    answers = [reply for reply in replies(text) if reply.at]
    before = [a for a in answers if a.at < cut]
    later = [a for a in answers if a.sent > cut]
    detour = [a for a in later if a.at < mending]
    after = [a for a in answers if a.sent > restored]
    if not before or not after:
        when = "before the link was cut" if not before else "after the link was repaired"
        raise MeasureError(NAME, f"got no answer {when}", raw)
    values = {
        "dark_s": later[0].at - cut,
        "around": float(bool(detour)),
        "gap_s": max(later - earlier for earlier, later in pairwise([restored, *(a.at for a in after)])),
        "rtt_before_ms": median(a.rtt for a in before),
        "rtt_after_ms": median(a.rtt for a in after[-len(after) // 2 :]),
    }
    return values | ({"rtt_detour_ms": median(a.rtt for a in detour)} if detour else {})


def record(ping: str, cut: float, mending: float, restored: float) -> str:
    """Return the raw text of a sample, from which `parse` gives its values; times are s since the epoch."""
    times = {"cut": cut, "mending": mending, "restored": restored}
    return json.dumps({**times, "ping": ping}, indent=1) + "\n"


def format_ends(ends: Iterable[tuple[str, str]]) -> str:
    """Return the two ends of a link as a parameter: ``AMS:eth1+PRG:eth2``."""
    return "+".join(f"{host}:{interface}" for host, interface in ends)


def parse_ends(ends: str) -> Mapping[str, str]:
    """Read what `format_ends` wrote: the device by host."""
    return dict(end.split(":", 1) for end in ends.split("+"))
