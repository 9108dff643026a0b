"""Offload: TCP throughput with and without segmentation offload at the sender.

Zismer 2016, sections 4.3.1 and 5.1.3 and figure 14: ``ethtool -K <interface> gso on|off tso on|off``
inside the measuring container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import TCP, Tool, Traffic, tcp
from lab.hosts.host import Endpoint
from lab.measure import ethtool
from lab.published import CONTROL
from lab.report.captions import with_mode
from lab.report.charts import Chart, Series
from lab.report.claims import Band, Checks, compare, measured
from lab.report.selection import Group, select
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import StoredRun

STATES = ("on", "off")


def _tcp(run: StoredRun, overlay: str, state: str) -> tuple[str, Group]:
    group = select(run.samples, overlay, TCP, "received_mbps", offload=state)
    return f"{overlay} with offload {state}", group


def gained(run: StoredRun, band: Band) -> Checks:
    """Compare TCP with offload to TCP without, per overlay."""
    return [
        compare(with_mode(run, n), band, _tcp(run, n, "on"), _tcp(run, n, "off"))
        for n in measured(run, CONTROL)
    ]


def by_control(run: StoredRun, band: Band, own: str, control: str) -> Checks:
    """Check each overlay's TCP with offload `own` by the control's with offload `control`."""
    below = _tcp(run, CONTROL, control)
    checks = [
        compare(with_mode(run, n), band, _tcp(run, n, own), below, unit=f"of {below[0]}")
        for n in measured(run, CONTROL)
    ]
    return common.unless_at_the_limit(run, below[1], checks)


CLAIMS = common.of("offload", {"gained": gained, "by_control": by_control})


class Offload(Traffic):
    """From the first host to its neighbour; the sender's device is set before every sample."""

    name = "offload"
    summary = "TCP with and without segmentation offload"
    source = "Zismer 2016, section 5.1.3, figure 14"
    topology = "point_to_point"
    claims = CLAIMS
    profiles = host_bound({TCP: Times(5, 2, 1)})
    tools: ClassVar[Mapping[str, Tool]] = {TCP: tcp()}
    grid: ClassVar[Mapping[str, Sequence[str]]] = {"offload": STATES}
    charts = (
        Chart(
            name="fig14-offload",
            title="TCP throughput with and without segmentation offload",
            y_label="received, Mbit/s",
            series=tuple(
                Series(f"offload {s}", TCP, "received_mbps", {"offload": s}) for s in reversed(STATES)
            ),
        ),
    )

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        features = await ethtool.set_segmentation(endpoints[cell.params["from"]], cell.params["offload"])
        return await self.tools[TCP].measure(cell, endpoints, **features)
