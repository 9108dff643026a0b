"""Claims of the thesis about several hops, as code.

The thesis's words ("sharply", "slightly", "no") have no figures; the bands here are ours, and
every answer names its own.
"""

from __future__ import annotations

from itertools import pairwise, product

from experiments.common.traffic import LATENCY, TCP, UDP
from experiments.multihop.results import MultihopSamples
from lab.report import claims
from lab.report.captions import with_mode
from lab.report.selection import Group
from lab.report.statistics import excess, spread
from lab.runs.run_folder import StoredRun

#: "Equal": within 1 % of the sum, or 0.5 ms, whichever is more.
EQUAL_SHARE, EQUAL_MS = 0.01, 0.5
#: "No variance": a standard deviation of at most 1 % of the mean.
NIL = claims.Band(high=0.01)
#: "Slightly": with each hop at most a tenth less, and not more either.
SLIGHTLY_PER_HOP = 0.9
#: "Dramatically": at least a third less at once.
SHARPLY = claims.Band(high=0.67)
#: The claims are about Weave; what else was measured stands beside it as the control.
WEAVE = "weave"


def weaves(run: StoredRun) -> list[str]:
    """Return the measured kinds of Weave that the studies speak of."""
    return [name for name in claims.measured(run) if name.split(":")[0] == WEAVE]


def no_latency(run: StoredRun) -> claims.Checks:
    """Check overall latency less the sum of the segments', for two hops and more."""
    view = MultihopSamples(run)
    return [
        _excess(view, name, target)
        for name in weaves(run)
        for target in view.targets
        if view.topology.hops(view.first, target) > 1
    ]


def _excess(view: MultihopSamples, overlay: str, target: str) -> claims.Check:
    topology = view.topology
    links = [topology.link(*pair) for pair in pairwise(topology.path(view.first, target))]
    whole = view.group(overlay, LATENCY, target, "mean_ms")
    parts = view.segments(overlay, target)
    reasons = [claims.lacking(whole, "the path"), *(claims.lacking(part, "a segment") for part in parts)]
    room = max(EQUAL_MS, EQUAL_SHARE * sum(link.rtt for link in links))
    return claims.Check(
        f"{with_mode(view.run, overlay)} over {len(links)} hops",
        claims.Band(-room, room),
        lambda confidence: excess(whole.means, [part.means for part in parts], confidence),
        next(filter(None, reasons), ""),
        "ms",
    )


def no_variance(run: StoredRun) -> claims.Checks:
    """Check the spread of the latency between repetitions, for every number of hops."""
    view, checks = MultihopSamples(run), []
    for name, target in product(weaves(run), view.targets):
        group = view.group(name, LATENCY, target, "mean_ms")
        checks.append(claims.check_group(f"{with_mode(run, name)} to {target}", NIL, group, by=spread))
    return checks


def throughput(
    run: StoredRun, metric: str, start: int, *, last: bool = False, band: claims.Band | None = None
) -> claims.Checks:
    """Compare throughput to a farther host, the next or the last, with that over `start` hops."""
    return [_over(run, name, metric, start, last, band) for name in weaves(run)]


def _over(
    run: StoredRun, overlay: str, metric: str, start: int, last: bool, band: claims.Band | None
) -> claims.Check | claims.CheckResult:
    view = MultihopSamples(run)
    hops = {view.topology.hops(view.first, target): target for target in view.targets}
    end = max(hops) if last else start + 1
    label = f"{with_mode(run, overlay)}: {end} hops by {start}"
    if start not in hops or end not in hops or end <= start:
        return claims.undecided(f"{label}: the topology has no such hops")

    def group(count: int) -> tuple[str, Group]:
        return f"{metric} over {count} hops", view.group(overlay, metric, hops[count], "received_mbps")

    fitting = band or claims.Band(SLIGHTLY_PER_HOP ** (end - start), 1.0)
    return claims.compare(label, fitting, group(end), group(start), unit="times")


CLAIMS = (
    claims.Claim(
        "Several hops add no latency: it equals the sum of the segments'",
        "Zismer 2016, section 5.2, figure 15",
        "mean UDP round trip over Weave less the sum of the segments', per number of hops",
        no_latency,
    ),
    claims.Claim(
        "The latency has no variance",
        "Zismer 2016, section 5.2, figure 15",
        "standard deviation of the mean round trips of repetitions, as a share of their mean",
        no_variance,
    ),
    claims.Claim(
        "UDP throughput falls only slightly with each hop",
        "Zismer 2016, section 5.2, figure 16",
        "UDP received over the most hops by that over one",
        lambda run: throughput(run, UDP, 1, last=True),
    ),
    claims.Claim(
        "TCP throughput drops sharply after the first hop",
        "Zismer 2016, section 5.2, figure 16",
        "TCP received over two hops by that over one",
        lambda run: throughput(run, TCP, 1, band=SHARPLY),
    ),
    claims.Claim(
        "After the second hop, TCP throughput falls only slightly with each",
        "Zismer 2016, section 5.2, figure 16",
        "TCP received over the most hops by that over two",
        lambda run: throughput(run, TCP, 2, last=True),
    ),
)
