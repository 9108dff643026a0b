"""Fragmentation: UDP throughput by the number of fragments of a datagram, with and without offload.

Zismer 2016, sections 4.3.1 and 5.1.3 and figure 13: datagrams just small enough for 1, 2, 3, …
packets of the overlay's own MTU, up to about 10,000 bytes. The thesis switched ``ufo``; that left
Linux in 4.14, so here segmentation offload is switched, which the fragments of an overlay's outer
packets may still meet, and every sample says that ``ufo`` is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from experiments._traffic import BOUND, QUARTER, UDP, Tool, Traffic, apply, ends, udp
from lab.hosts.host import Endpoint
from lab.measure import ethtool
from lab.report.captions import with_mode
from lab.report.charts import CONTROL, Chart, Place, Series
from lab.report.claims import (
    OPEN,
    Band,
    Check,
    CheckResult,
    Claim,
    Trending,
    absent,
    compare,
    follow,
    lacking,
    measured,
)
from lab.report.selection import Group, select
from lab.report.statistics import ratio
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

#: Seven packets of 1500 bytes carry 10,352 bytes of data.
FRAGMENTS = tuple(range(1, 8))
STATES = ("on", "off")

QUICK = Profile(name="quick", repetitions={UDP: 3}, seconds={UDP: 1}, rate=1000, cpus=QUARTER, why=BOUND)
PAPER = Profile(
    name="paper",
    repetitions={UDP: 20},
    seconds={UDP: 120},
    rate=1000,
    cpus=1,
    why="the testbed's ports, and one vCPU per host, as in 2016",
)


NO_UFO_WORDS = f"offload of UDP's fragmentation (ufo) is {ethtool.NO_UFO}; gso and tso do not touch it"


def _without_ufo(run: StoredRun) -> bool:
    return any(sample.facts.get("ufo") == ethtool.NO_UFO for sample in run.samples)


def gains(run: StoredRun) -> list[CheckResult]:
    """Whether offload's gain for UDP rises with the fragments; nobody can tell where there is no ufo."""
    if _without_ufo(run):
        return [CheckResult(OPEN, NO_UFO_WORDS)]
    return follow([_gain(run, name) for name in measured(run)], rising=True)


def _gain(run: StoredRun, overlay: str) -> Trending:
    """Each sample with offload as a multiple of the mean without, by the number of fragments."""
    varied: list[float] = []
    gained: list[float] = []
    for count in FRAGMENTS:
        on, off = (
            select(run.samples, overlay, UDP, "received_mbps", fragments=count, offload=s) for s in STATES
        )
        if reason := lacking(on, f"{count} fragments on") or lacking(off, f"{count} fragments off"):
            return Trending(with_mode(run, overlay), [], [], reason)
        base = sum(off.valid) / len(off.valid)
        varied += [count] * len(on.valid)
        gained += [value / base for value in on.valid]
    return Trending(with_mode(run, overlay), varied, gained)


def by_size(run: StoredRun) -> list[CheckResult]:
    """Whether throughput rises with the size of datagrams, all of whose packets are full."""
    rows = []
    for name in measured(run):
        groups = {
            count: select(run.samples, name, UDP, "received_mbps", fragments=count, offload="on")
            for count in FRAGMENTS
        }
        reasons = [absent(group, f"{count} fragments") for count, group in groups.items()]
        varied = [float(count) for count, group in groups.items() for _ in group.valid]
        values = [value for group in groups.values() for value in group.valid]
        rows.append(Trending(with_mode(run, name), varied, values, next(filter(None, reasons), "")))
    return follow(rows, rising=True)


def encapsulated(run: StoredRun) -> list[Check]:
    """UDP of each overlay without offload, in datagrams that fill one packet, by the control's."""
    return [_by_control(run, name, FRAGMENTS[0], "off", THIRTY_LESS) for name in measured(run, CONTROL)]


def machine_ahead(run: StoredRun) -> list[Check | CheckResult]:
    """UDP of each overlay with offload, in the largest datagrams, by the control's."""
    gone: list[Check | CheckResult] = [CheckResult(OPEN, NO_UFO_WORDS)]
    if _without_ufo(run):
        return gone
    return [_by_control(run, name, FRAGMENTS[-1], "on", Band(high=1)) for name in measured(run, CONTROL)]


def _by_control(run: StoredRun, overlay: str, count: int, state: str, band: Band) -> Check:
    def udp_of(name: str) -> tuple[str, Group]:
        found = select(run.samples, name, UDP, "received_mbps", fragments=count, offload=state)
        return f"{name} with {count} packets a datagram, offload {state}", found

    label = with_mode(run, overlay)
    return compare(label, band, udp_of(overlay), udp_of(CONTROL), ratio, f"of the {CONTROL}'s")


#: "By about 30 %", as a band.
THIRTY_LESS = Band(0.6, 0.8)

CLAIMS = (
    Claim(
        "Without offload, encapsulation costs the overlays about 30 % of the UDP throughput",
        "Zismer 2016, sections 5.1.3 and 6.2, figure 13",
        "fragmentation",
        "UDP received without offload in datagrams of one full packet, each overlay's by the control's",
        encapsulated,
    ),
    Claim(
        "Even with offload and large datagrams, the machine's UDP throughput is above the overlays'",
        "Zismer 2016, section 5.1.3, figure 13",
        "fragmentation",
        "UDP received with offload in datagrams of seven packets, each overlay's by the control's",
        machine_ahead,
    ),
    Claim(
        "Offload lifts UDP the more, the more fragments a datagram has",
        "Zismer 2016, section 5.1.3, figure 13",
        "fragmentation",
        "UDP received with offload by UDP received without, by the number of fragments",
        gains,
    ),
    Claim(
        "On a larger scale, larger datagrams give more UDP throughput although they are fragmented",
        "Zismer 2016, section 5.1.3, figure 13",
        "fragmentation",
        "UDP received by the number of fragments, with offload",
        by_size,
    ),
)


def bytes_of_data(run: StoredRun, overlay: str, place: Place) -> str:
    """The size of such a datagram on an overlay, which is what the thesis has along its axis."""
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
    profiles: ClassVar[Mapping[str, Profile]] = {"quick": QUICK, "paper": PAPER}
    tools: ClassVar[Mapping[str, Tool]] = {UDP: udp()}
    charts = (
        Chart(
            name="fig13-fragmentation",
            title="UDP throughput by fragments, with and without offload",
            x=("fragments",),
            x_label="packets per datagram: bytes of data",
            y_label="received, Mbit/s",
            lines=tuple(
                Series(f"offload {s}", UDP, "received_mbps", {"offload": s}) for s in reversed(STATES)
            ),
            under=bytes_of_data,
            note="ufo, which the thesis switched, is gone from Linux since 4.14; gso and tso were switched",
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Every number of fragments, with and without."""
        return [
            self.cell(overlay, UDP, profile, fragments=count, offload=state, **ends(topology, overlay))
            for count in FRAGMENTS
            for state in STATES
        ]

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        source = endpoints[cell.params["from"]]
        said = await ethtool.set_segmentation(source, cell.params["offload"])
        bytes_of_packet = await ethtool.mtu(source, source.interface)
        size = ethtool.udp_payload(bytes_of_packet, cell.params["fragments"])
        reading = await apply(udp(size), cell, endpoints)
        return replace(reading, facts={**reading.facts, **said, "mtu": str(bytes_of_packet)})
