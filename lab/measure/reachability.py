"""Reachability of endpoints: one packet each way between the two of each pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from lab.errors import OverlayError
from lab.hosts.host import Endpoint
from lab.util.concurrency import together

#: How long one answer may take (s); the longest round trip of the studies is 0.17 s.
PATIENCE = 2
#: Between two tries (s), where the first fails at once.
PAUSE = 0.1
#: How long an overlay may take before it is asked to tell its daemons again who is where (s); then twice
#: as long before it is asked once more, and so on.
SOON = 4.0
#: How much longer than its pings an endpoint may take (s).
GRACE = 20.0


def ping_script(addresses: Sequence[str], deadline: float) -> str:
    """Shell lines that ask all addresses at once, again and again, and print those that answered.

    The first packets of a new path may be lost, or come back as an error: some overlays ask for
    the way only when there is something to send.
    """
    ping = f"ping -n -q -c 1 -i 0.2 -w {PATIENCE}"
    tries = "until {ping} {a} >/dev/null 2>&1; do [ $(date +%s) -lt $end ] || exit 1; sleep {pause:g}; done"
    asked = [f"({tries.format(ping=ping, a=a, pause=PAUSE)}; echo {a}) &\n" for a in addresses]
    return "".join([f"end=$(($(date +%s) + {deadline:.0f}))\n", *asked, "wait\n"])


async def every_pair(
    endpoints: Mapping[str, Endpoint],
    pairs: Iterable[tuple[str, str]],
    deadline: float = 30.0,
    refresh: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Return once a packet has gone between the two of each pair and back.

    An echo and its answer cross a pair in both directions, so each pair is named once. Entering
    an endpoint costs more than the pings, so each asks all of its own at once. `refresh` (see
    `overlays.base.Overlay`) is awaited where pairs are still silent after `SOON`, and again while they are.

    Raises:
        OverlayError: a pair was still silent after `deadline` (s).
    """
    missing, span, left = list(pairs), SOON, deadline
    while refresh is not None and left > 2 * span:
        if not (missing := await _silent(endpoints, missing, span)):
            return
        await refresh()
        left, span = left - span, 2 * span
    if missing := await _silent(endpoints, missing, left):
        named = ", ".join(f"{a}–{b}" for a, b in missing[:5]) + (" …" if len(missing) > 5 else "")
        what = next(iter(endpoints.values())).overlay or "overlay"
        raise OverlayError(
            f"{what}: no packet passed between {named} within {deadline:g} s; "
            "see the overlay's report in the run folder"
        )


async def _silent(
    endpoints: Mapping[str, Endpoint], pairs: Iterable[tuple[str, str]], deadline: float
) -> list[tuple[str, str]]:
    asked: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        asked[a].append(b)
    rows = await together(_unanswered(endpoints, a, others, deadline) for a, others in asked.items())
    return [pair for row in rows for pair in row]


async def _unanswered(
    endpoints: Mapping[str, Endpoint], a: str, others: Sequence[str], deadline: float
) -> list[tuple[str, str]]:
    script = ping_script([endpoints[b].address for b in others], deadline)
    said = await endpoints[a].run(["sh"], stdin=script.encode(), timeout=deadline + GRACE, check=False)
    return [(a, b) for b in others if endpoints[b].address not in said.stdout.split()]
