"""Fragmentation: UDP throughput by the number of fragments of a datagram, with and without offload.

Zismer 2016, sections 4.3.1 and 5.1.3 and figure 13: datagrams just small enough for 1, 2, 3, …
packets of the overlay's own MTU, up to about 10,000 bytes. The thesis switched ``ufo``; that left
Linux in 4.14, so here segmentation offload is switched, which the fragments of an overlay's outer
packets may still meet, and every sample says that ``ufo`` is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import UDP, Tool, Traffic, udp
from lab.hosts.host import Endpoint
from lab.measure import ethtool
from lab.report import claims
from lab.report.captions import with_mode
from lab.report.charts import Chart, Place, Series
from lab.report.selection import Group, SampleValue, matches, select
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

#: Seven packets of 1500 bytes carry 10,352 bytes of data.
FRAGMENTS = tuple(range(1, 8))
STATES = ("on", "off")

NO_UFO_WORDS = f"offload of UDP's fragmentation (ufo) is {ethtool.NO_UFO}; gso and tso do not touch it"


def _without_ufo(run: StoredRun) -> bool:
    return any(sample.facts.get("ufo") == ethtool.NO_UFO for sample in run.samples)


def gains(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Test offload's gain for UDP for a rise with the fragments; open where there is no ufo."""
    if _without_ufo(run):
        return [claims.undecided(NO_UFO_WORDS)]
    return claims.check_trends([_gain(run, name) for name in claims.measured(run)], band)


def _gain(run: StoredRun, overlay: str) -> claims.Trending:
    """In each bring-up, what goes through with offload as a multiple of that without, by fragments."""
    gained: dict[int, Group] = {}
    for count in FRAGMENTS:
        on, off = (_udp(run, overlay, count, state) for state in STATES)
        reason = claims.lacking(on, f"{count} fragments on") or claims.lacking(off, f"{count} fragments off")
        if reason:
            return claims.Trending(with_mode(run, overlay), {}, reason)
        without = {n: fmean(values) for n, values in off.by_bring_up.items()}
        shares = [
            SampleValue(n, fmean(values) / without[n])
            for n, values in on.by_bring_up.items()
            if without.get(n)
        ]
        gained[count] = Group(shares)
    return claims.Trending.over(with_mode(run, overlay), gained, "fragments")


def by_size(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Test throughput for a rise with the size of datagrams, all of whose packets are full."""
    rows = []
    for name in claims.measured(run):
        groups = {count: _udp(run, name, count, "on") for count in FRAGMENTS}
        rows.append(claims.Trending.over(with_mode(run, name), groups, "fragments"))
    return claims.check_trends(rows, band)


def machine_ahead(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Check UDP of each overlay with offload, in the largest datagrams, by the control's."""
    if _without_ufo(run):
        return [claims.undecided(NO_UFO_WORDS)]
    words = f"with {FRAGMENTS[-1]} packets a datagram, offload on"
    return claims.against_control(
        run, band, lambda name: (f"{name} {words}", _udp(run, name, FRAGMENTS[-1], "on"))
    )


def encapsulated(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Check the packets a second of each overlay without offload by the control's, one a datagram.

    Packets, as a full one has less data with an overlay: of bytes the headers would be counted as cost.
    """
    return claims.against_control(run, band, lambda name: (f"{name}, full packets", _packets(run, name)))


def _packets(run: StoredRun, overlay: str) -> Group:
    """Group the thousand packets a second of datagrams of one full packet, without offload."""

    def figure(sample: Sample) -> float | None:
        if sample.collapsed:
            return 0.0
        received, size = (sample.values.get(name) for name in ("received_mbps", "datagram_bytes"))
        return received / 8e-3 / size if received is not None and size else None

    params = {"fragments": FRAGMENTS[0], "offload": "off"}
    own = (s for s in run.samples if s.overlay == overlay and matches(s, UDP, "received_mbps", params))
    return Group.by(own, figure)


def _udp(run: StoredRun, overlay: str, count: int, state: str) -> Group:
    return select(run.samples, overlay, UDP, "received_mbps", fragments=count, offload=state)


CLAIMS = common.of(
    "fragmentation",
    {"encapsulated": encapsulated, "machine_ahead": machine_ahead, "gains": gains, "by_size": by_size},
)


def bytes_of_data(run: StoredRun, overlay: str, place: Place) -> str:
    """Return the size of such a datagram on an overlay, which the thesis has along its axis."""
    sizes = {
        round(sample.values["datagram_bytes"])
        for sample in run.samples
        if (sample.overlay, sample.params.get("fragments")) == (overlay, *place) and sample.ok
        if "datagram_bytes" in sample.values
    }
    return "/".join(map(str, sorted(sizes)))


class Fragmentation(Traffic):
    """From the first host to its neighbour; sizes follow from the MTU of the sender's device."""

    name = "fragmentation"
    summary = "UDP by the number of fragments, with and without offload"
    source = "Zismer 2016, section 5.1.3, figure 13"
    topology = "point_to_point"
    claims = CLAIMS
    profiles = host_bound({UDP: Times(3, 1)})
    tools: ClassVar[Mapping[str, Tool]] = {UDP: udp()}
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"fragments": FRAGMENTS, "offload": STATES}
    charts = (
        Chart(
            name="fig13-fragmentation",
            title="UDP throughput by fragments, with and without offload",
            x=("fragments",),
            x_label="packets per datagram: bytes of data",
            y_label="received, Mbit/s",
            series=tuple(
                Series(f"offload {s}", UDP, "received_mbps", {"offload": s}) for s in reversed(STATES)
            ),
            under=bytes_of_data,
            note="ufo, which the thesis switched, is gone from Linux since 4.14; gso and tso were switched",
        ),
        Chart(
            name="fig13-fragmentation-sent",
            title="UDP by fragments, the sender's view that 2016 plotted",
            x=("fragments",),
            x_label="packets per datagram: bytes of data",
            y_label="sent, Mbit/s",
            series=tuple(Series(f"offload {s}", UDP, "sent_mbps", {"offload": s}) for s in reversed(STATES)),
            under=bytes_of_data,
        ),
    )

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        source = endpoints[cell.params["from"]]
        features = await ethtool.set_segmentation(source, cell.params["offload"])
        mtu = await ethtool.mtu(source, source.interface)
        size = ethtool.udp_payload(mtu, cell.params["fragments"])
        return await udp(size).measure(cell, endpoints, **features, mtu=str(mtu))
