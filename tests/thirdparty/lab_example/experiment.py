"""Round trip: how long a packet takes to each other host and back.

An experiment says what is measured (`cells`), how (`measure`, `parse`), and what came of it (`tables`,
`figures`, `claims`). Repetitions, their random order, the store, resuming and verdicts are the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from lab.hosts.host import Endpoint
from lab.measure import ping, tool
from lab.report import charts
from lab.report.charts import Chart, Series
from lab.report.claims import Band, Check, Claim, lacking
from lab.report.presentation import PresentedExperiment
from lab.report.selection import select
from lab.report.statistics import location
from lab.report.tables import Table
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

PING = "ping"
#: The most that a claim below lets an overlay add to the round trip of the links (ms).
ADDED = 10.0

CHART = Chart(
    name="roundtrip",
    title="Round trip by the number of hops",
    x=("hops",),
    x_label="hops",
    y_label="round trip, ms",
    series=(Series("ping", PING, "mean_ms"),),
)


def checks(run: StoredRun) -> list[Check]:
    """Return a check per overlay: the round trip to the farthest host, and the band claimed for it."""
    topology = Topology.from_dict(run.manifest.topology)
    first, last = topology.hosts[0].name, topology.hosts[-1].name
    imposed = topology.rtt(first, last)
    found = []
    for overlay in run.manifest.overlays:
        group = select(run.samples, overlay, PING, "mean_ms", to=last)
        found.append(
            Check(
                f"{overlay}, {first} to {last}",
                Band(imposed, imposed + ADDED),
                # the engine asks for an interval of the confidence that all checks together need
                lambda confidence, group=group: location(group.means, confidence),  # type: ignore[misc]
                lacking(
                    group, f"{first} to {last}"
                ),  # why there is none; empty when there are enough samples
                "ms",
            )
        )
    return found


class RoundTrip(PresentedExperiment):
    """From the first host to every other one, by ICMP echoes."""

    name = "roundtrip"
    summary = "the round trip to each other host (the example for authors)"
    source = "the example for authors"
    topology = "corner"
    overlays: ClassVar[tuple[str, ...]] = ("hub",)
    #: `quick` takes seconds; `paper` is for figures that are published. A sample of each cell in every
    #: bring-up: these, and not samples, are what is independent.
    profiles: ClassVar[Mapping[str, Profile]] = {
        "quick": Profile("quick", repetitions={PING: 1}, seconds={PING: 0.5}, bring_ups=3),
        "paper": Profile("paper", repetitions={PING: 1}, seconds={PING: 60}, bring_ups=20),
    }
    claims = (
        Claim(
            text=f"An overlay adds at most {ADDED:g} ms to the round trip of the links.",
            source="the example for authors",
            measured="ICMP echoes from the first to the last host",
            checks=checks,
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Return the points of the grid. `params` identify a cell in every run, and `measure` gets them."""
        first, *others = (host.name for host in topology.hosts)
        return [
            Cell(
                overlay,
                PING,
                {"from": first, "to": other, "hops": topology.hops(first, other)},
                profile.repetitions[PING],
                profile.seconds[PING],
            )
            for other in others
        ]

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        """Measure once. If the tool fails, `parse` raises; the engine stores its output and goes on."""
        source, target = endpoints[cell.params["from"]], endpoints[cell.params["to"]]
        argv = ping.argv(target.address_for(source.host.name), cell.seconds)
        result = await tool.execute(source, argv, cell.duration)
        return Reading(self.parse(PING, result.stdout), result.stdout, tuple(argv))

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        """Return the values in a tool's output; apart from `measure`, so stored output can be read again."""
        return ping.parse(raw)

    def tables(self, run: StoredRun) -> Sequence[Table]:
        return [charts.table(run, CHART)]

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        return charts.draw(run, CHART, folder)
