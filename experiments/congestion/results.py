"""Counters of the routers' datapaths while TCP went over several hops, and claims about them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from statistics import fmean

from experiments.common import claims as common
from experiments.multihop.claims import weaves
from lab.report import claims
from lab.report.captions import with_mode
from lab.report.selection import Group, SampleValue, select
from lab.report.statistics import CONFIDENCE
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample
from lab.topology import Topology

CONTROLS = ("bbr", "cubic", "reno")
#: Relayed packets go up to user space when most lookups find no flow.
MOSTLY = claims.Band(low=0.5)
#: The reason for what the counters show (docs/reference/experiments/congestion.md).
WHY = (
    "Why relays miss: a router makes a flow for the packets that it relays, with their tunnel as the key. "
    "The key should match all Ethernet addresses, but it matches only zeros. No packet has these, so each "
    "goes to user space. If the queue there is full, packets are lost, also heartbeats, and TCP reacts as "
    "to congestion. The sending rate of UDP, which the scripts of 2016 plotted, does not fall."
)


def missed(sample: Sample) -> dict[str, float]:
    """Return per router the share of lookups that found no flow, of those that had any to do."""
    hosts = {key.split()[0] for key in sample.datapath}
    counts = {
        name: (sample.datapath.get(f"{name} hit", 0), sample.datapath.get(f"{name} missed", 0))
        for name in hosts
    }
    return {name: miss / (hit + miss) for name, (hit, miss) in counts.items() if hit + miss > 0}


def relays(topology: Topology, sample: Sample) -> tuple[str, ...]:
    """Return the hosts between the two ends of a sample."""
    return topology.path(sample.params["from"], sample.params["to"])[1:-1]


def datapaths(run: StoredRun) -> list[Table]:
    """Make a table of the lookups of every router by hops; none where no overlay has such counters."""
    rows = list(_rows(run))
    if not rows:
        return []
    columns = ["overlay", "hops", "router", "part", "hit", "missed", "lost", "share missed"]
    heading = "means of the lookups during a sample; a missed one goes to user space, a lost one is dropped"
    # relays missed most of their lookups, by whatever few samples there are
    shares = [check.estimate(CONFIDENCE) for check in relayed_miss(run) if isinstance(check, claims.Check)]
    miss = any(share is not None and share.value >= MOSTLY.low for share in shares)
    return [Table("the routers' datapaths", columns, [Section(heading, rows)], [WHY] if miss else [])]


def _rows(run: StoredRun) -> Iterator[list[str]]:
    topology = Topology.from_dict(run.manifest.topology)
    groups: dict[tuple[str, int], list[Sample]] = {}
    for sample in run.samples:
        if sample.ok and sample.datapath:
            groups.setdefault((sample.overlay, sample.params["hops"]), []).append(sample)
    for (overlay, hops), samples in sorted(groups.items()):
        between = relays(topology, samples[0])
        for host in topology.path(samples[0].params["from"], samples[0].params["to"]):
            part = "relay" if host in between else "end"
            yield [overlay, str(hops), host, part, *_figures(samples, host)]


def _figures(samples: list[Sample], host: str) -> list[str]:
    counts = {
        key: fmean(s.datapath.get(f"{host} {key}", 0) for s in samples) for key in ("hit", "missed", "lost")
    }
    shares = [found[host] for sample in samples if host in (found := missed(sample))]
    return [*(f"{count:.0f}" for count in counts.values()), f"{fmean(shares):.0%}" if shares else "–"]


def relayed_miss(run: StoredRun, band: claims.Band = MOSTLY) -> claims.Checks:
    """Check the share of lookups that relays miss, per number of hops and overlay with such counters.

    Samples count in which this machine set the pace: it is a share of lookups, which are as many
    misses of as many on a slow machine, and no throughput.
    """
    topology = Topology.from_dict(run.manifest.topology)
    found: dict[tuple[str, int], list[SampleValue]] = {}
    for sample in run.samples:
        counts = sample.ok and sample.verdict.state != "broken"
        if counts and sample.datapath and (between := relays(topology, sample)):
            shares = missed(sample)
            known = [SampleValue(sample.bring_up, shares[host]) for host in between if host in shares]
            found.setdefault((sample.overlay, len(between) + 1), []).extend(known)
    if not found:
        return [claims.undecided("no sample used Weave's fast datapath, and only it has such counters")]
    return [
        claims.check_group(
            f"{with_mode(run, overlay)} over {hops} hops", band, Group(shares), "of the lookups"
        )
        for (overlay, hops), shares in found.items()
    ]


def with_every_control(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Compare TCP over two hops with TCP over one, per control, over Weave."""

    def tcp(overlay: str, control: str, hops: int) -> tuple[str, Group]:
        group = select(run.samples, overlay, "tcp", "received_mbps", control=control, hops=hops)
        return f"{overlay} {control} over {hops} hops", group

    checks = []
    for name, control in product(weaves(run), CONTROLS):
        two, one = tcp(name, control, 2), tcp(name, control, 1)
        checks.append(claims.compare(f"{with_mode(run, name)} {control}", band, two, one))
    return checks


def fell_back(run: StoredRun, _: claims.Band) -> claims.Checks:
    """Look for samples over several hops during which the mode of a fast datapath changed."""
    fast = [s for s in run.samples if "mode=fastdp" in s.overlay and s.params.get("hops", 0) > 1]
    changed = [sample for sample in fast if sample.changed]
    if changed:
        first = f"{changed[0].cell} #{changed[0].repetition}: {'; '.join(changed[0].changed)}"
        text = f"in {len(changed)} of {len(fast)} samples, first in {first}"
        return [claims.CheckResult(claims.REPRODUCED, text)]
    if not fast:
        return [claims.undecided("nothing was measured on Weave's fast datapath")]
    return [claims.undecided(f"in none of {len(fast)} samples; the thesis saw it now and then")]


CLAIMS = common.of(
    "congestion",
    {"fell_back": fell_back, "with_every_control": with_every_control, "relayed_miss": relayed_miss},
)
