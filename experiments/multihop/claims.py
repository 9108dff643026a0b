"""Statistics for the claims of the thesis about several hops.

The thesis's words ("sharply", "slightly", "no") have no figures; the bands are registered with the claims,
and every answer names its own.
"""

from __future__ import annotations

from itertools import product

from experiments.common import claims as common
from experiments.common.traffic import LATENCY
from experiments.multihop.results import MultihopSamples, targets
from lab.published import CONTROL
from lab.report import claims
from lab.report.captions import with_mode
from lab.report.selection import Group
from lab.report.statistics import contrast, spread
from lab.runs.run_folder import StoredRun

#: The claims are about Weave; what else was measured stands beside it as the control.
WEAVE = "weave"
#: A share of the links' rate: above it the links are the limit, and a fall with hops could not be seen.
LINK_BOUND = 0.9


def weaves(run: StoredRun) -> list[str]:
    """Return the measured kinds of Weave that the studies measured."""
    return [name for name in claims.measured(run) if name.split(":")[0] == WEAVE]


def no_latency(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Check what each hop beyond the first adds over Weave, above what it adds on the routed underlay.

    Not overall less the sum of the segments', as the thesis has it: each of these was measured over Weave as
    well, so what its routers add is in both and goes out.
    """
    view = MultihopSamples(run)
    hops = {view.topology.hops(view.first, target): target for target in view.targets}
    if 1 not in hops:
        return []
    return [
        _per_hop(view, name, hops[1], hops[count], count, band)
        for name in weaves(run)
        for count in hops
        if count > 1
    ]


def _per_hop(
    view: MultihopSamples, overlay: str, near: str, far: str, count: int, band: claims.Band
) -> claims.Check:
    groups = {
        (name, target): view.group(name, LATENCY, target, "mean_ms")
        for name, target in product((overlay, CONTROL), (far, near))
    }
    reasons = [claims.lacking(group, f"{name} to {to}") for (name, to), group in groups.items()]
    weights = (1, -1, -1, 1)
    terms = [(w / (count - 1), g.means) for w, g in zip(weights, groups.values(), strict=True)]
    return claims.Check(
        f"{with_mode(view.run, overlay)} over {count} hops",
        band,
        lambda confidence: contrast(terms, confidence),
        next(filter(None, reasons), ""),
        "ms per further hop",
    )


def no_variance(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Check the spread of the latency between repetitions, for every number of hops."""
    view, checks = MultihopSamples(run), []
    for name, target in product(weaves(run), view.targets):
        group = view.group(name, LATENCY, target, "mean_ms")
        checks.append(claims.check_group(f"{with_mode(run, name)} to {target}", band, group, by=spread))
    return checks


def throughput(
    run: StoredRun,
    band: claims.Band,
    metric: str,
    start: int,
    last: bool = False,
    below_the_rate: bool = False,
) -> claims.Checks:
    """Compare throughput to a farther host, the next or the last, with that over `start` hops.

    With `last` the band is for each hop, and what all of them together may take follows from it. With
    `below_the_rate` nothing can be told where throughput over `start` hops is above `LINK_BOUND` of the rate.
    """
    return [_over(run, name, metric, start, last, band, below_the_rate) for name in weaves(run)]


def _over(
    run: StoredRun,
    overlay: str,
    metric: str,
    start: int,
    last: bool,
    band: claims.Band,
    below_the_rate: bool,
) -> claims.Check | claims.CheckResult:
    view = MultihopSamples(run)
    hops = {view.topology.hops(view.first, target): target for target in view.targets}
    end = max(hops, default=0) if last else start + 1
    label = f"{with_mode(run, overlay)}: {end} hops by {start}"
    if start not in hops or end not in hops or end <= start:
        there = {view.topology.hops(view.first, target) for target in targets(view.topology)}
        if {start, end} <= there and start < end:
            return claims.undecided(f"{label}: this run did not measure over both")
        return claims.undecided(f"{label}: the topology has no such hops")

    def group(count: int) -> tuple[str, Group]:
        return f"{metric} over {count} hops", view.group(overlay, metric, hops[count], "received_mbps")

    found, rate = group(start)[1].summary, run.manifest.rate
    if below_the_rate and found and rate and found.mean > LINK_BOUND * rate:
        words = f"{metric} over {start} hops is {found.mean:.3g} of {rate:g} Mbit/s: the links are its limit"
        return claims.undecided(f"{label}: {words}, and a rate that they do not reach would tell")
    fitting = claims.Band(band.low ** (end - start), band.high) if last else band
    return claims.compare(label, fitting, group(end), group(start))


CLAIMS = common.of(
    "multihop", {"no_latency": no_latency, "no_variance": no_variance, "throughput": throughput}
)
