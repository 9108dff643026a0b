"""Offload: TCP throughput with and without segmentation offload at the sender.

Zismer 2016, sections 4.3.1 and 5.1.3 and figure 14: ``ethtool -K <interface> gso on|off tso on|off``
inside the measuring container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from experiments._traffic import BOUND, QUARTER, TCP, Tool, Traffic, apply, ends, tcp
from lab.hosts.host import Endpoint
from lab.measure import ethtool
from lab.report.captions import with_mode
from lab.report.charts import CONTROL, Chart, Series
from lab.report.claims import Band, Check, Claim, compare, measured
from lab.report.selection import Group, select
from lab.report.statistics import ratio
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

STATES = ("on", "off")

QUICK = Profile(
    name="quick",
    repetitions={TCP: 5},
    seconds={TCP: 2},
    warmup={TCP: 1},
    rate=1000,
    cpus=QUARTER,
    why=BOUND,
)
PAPER = Profile(
    name="paper",
    repetitions={TCP: 20},
    seconds={TCP: 120},
    rate=1000,
    cpus=1,
    why="the testbed's ports, and one vCPU per host, as in 2016",
)


#: "Almost doubles", and "by about 30 %", as bands: a quarter about the figure named.
DOUBLE, THIRTY_LESS = Band(1.5, 2.5), Band(0.6, 0.8)


def _tcp(run: StoredRun, overlay: str, state: str) -> tuple[str, Group]:
    group = select(run.samples, overlay, TCP, "received_mbps", offload=state)
    return f"{overlay} with offload {state}", group


def gained(run: StoredRun) -> list[Check]:
    """TCP with offload as a multiple of TCP without, per overlay."""
    return [
        compare(with_mode(run, name), DOUBLE, _tcp(run, name, "on"), _tcp(run, name, "off"), ratio, "times")
        for name in measured(run, CONTROL)
    ]


def without(run: StoredRun) -> list[Check]:
    """TCP without offload, each overlay's as a multiple of the control's, also without."""
    control = _tcp(run, CONTROL, "off")
    return [
        compare(
            with_mode(run, name), THIRTY_LESS, _tcp(run, name, "off"), control, ratio, f"of the {CONTROL}'s"
        )
        for name in measured(run, CONTROL)
    ]


CLAIMS = (
    Claim(
        "Offload nearly doubles the TCP throughput of the overlays",
        "Zismer 2016, section 5.1.3, figure 14",
        "offload",
        "TCP received with offload by TCP received without, per overlay",
        gained,
    ),
    Claim(
        "Without offload the TCP throughput of the overlays is about 30 % below that of the machine",
        "Zismer 2016, section 5.1.3, figure 14",
        "offload",
        "TCP received without offload, each overlay's by the control's",
        without,
    ),
)


class Offload(Traffic):
    """From the first host to its neighbour; the sender's device is set before every sample."""

    name = "offload"
    summary = "TCP with and without segmentation offload"
    source = "Zismer 2016, section 5.1.3, figure 14"
    topology = "point_to_point"
    claims = CLAIMS
    profiles: ClassVar[Mapping[str, Profile]] = {"quick": QUICK, "paper": PAPER}
    tools: ClassVar[Mapping[str, Tool]] = {TCP: tcp()}
    charts = (
        Chart(
            name="fig14-offload",
            title="TCP throughput with and without segmentation offload",
            x=(),
            x_label="",
            y_label="received, Mbit/s",
            lines=tuple(
                Series(f"offload {s}", TCP, "received_mbps", {"offload": s}) for s in reversed(STATES)
            ),
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """With and without."""
        return [
            self.cell(overlay, TCP, profile, offload=state, **ends(topology, overlay)) for state in STATES
        ]

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        said = await ethtool.set_segmentation(endpoints[cell.params["from"]], cell.params["offload"])
        reading = await apply(self.tools[TCP], cell, endpoints)
        return replace(reading, facts={**reading.facts, **said})
