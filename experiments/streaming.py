"""Streaming: one server and clients around it, more of them each time: jitter, latency, loss.

Hermans & de Niet 2016: a star around BRA; 1, 3 and 9 clients at each of AMS, MIL and LJU take a
bursty stream of 1 Mbit/s each; both ends are limited to 10 Mbit/s: a client site by its circuit, the
server by one port for all of its circuits, so that three times nine do not fit. All sites stream at the
same time. The limit that Cisco set for video is 30 ms of jitter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from itertools import product
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, profile
from experiments.common.traffic import LATENCY, Tool, Traffic, latency
from lab.errors import MeasureError
from lab.hosts.host import Endpoint, Host
from lab.measure import iperf3, ping, streams, tool, tool_servers
from lab.measure.shared_port import shared_port
from lab.published import CONTROL, STREAMING
from lab.report.captions import with_mode
from lab.report.charts import Chart, Place, Series
from lab.report.claims import TIMES_AS_MUCH, Band, Checks, check_group, compare, measured
from lab.report.selection import Group, select
from lab.report.statistics import difference, ratio
from lab.runs.experiment import Cell, Profile, Reading
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from lab.util.concurrency import together

STREAM = "stream"
WORKERS = (1, 3, 9)
SITES = ("AMS", "MIL", "LJU")

BOTH_ENDS = "both ends were limited to 10 Mbit/s in 2016"
QUICK = profile("quick", {LATENCY: Times(3, 1), STREAM: Times(5, 5)}, rate=10, why=BOTH_ENDS)
PAPER = profile(
    "paper",
    {LATENCY: Times(5, 180), STREAM: Times(5, 180)},
    rate=10,
    why=f"{BOTH_ENDS}, and one vCPU per host",
    cpus=1,
    bring_ups=5,
)


def published(overlay: str, place: Place, series: Series) -> float | None:
    """Return their jitter (ms) or bit rate (kbit/s) at a client site; the control has their machines'."""
    platform = "vm" if overlay == CONTROL else overlay
    value, _, client = series.value.partition(" ")
    rows = [s for s in STREAMING if (s.platform, s.client, (s.workers,)) == (platform, client, place)]
    known = {"jitter_ms": [s.jitter for s in rows], "mean_kbps": [s.mean for s in rows]}.get(value, [])
    return known[0] if known else None


def _of(run: StoredRun, overlay: str, value: str, workers: int) -> tuple[str, Group]:
    label = f"{with_mode(run, overlay)} {value.split()[-1]}, {workers} clients"
    return label, select(run.samples, overlay, STREAM, value, workers=workers)


def jitter(run: StoredRun, band: Band, workers: Sequence[int]) -> Checks:
    """Check the jitter per overlay and client site, with so many clients at each."""
    checks = []
    for name, site, count in product(measured(run), SITES, workers):
        label, group = _of(run, name, f"jitter_ms {site}", count)
        checks.append(check_group(label, band, group, "ms"))
    return checks


def beside_the_machine(run: StoredRun, band: Band, value: str, unit: str) -> Checks:
    """Compare a value of each overlay with the control's, with the most clients.

    `unit` is that of the difference; or ``times``, for the ratio.
    """
    checks = []
    for name, site in product(measured(run, CONTROL), SITES):
        one, other = (_of(run, n, f"{value} {site}", max(WORKERS)) for n in (name, CONTROL))
        by, words = (ratio, TIMES_AS_MUCH) if unit == "times" else (difference, unit)
        checks.append(compare(one[0], band, one, other, by, words))
    return checks


def slower_streams(run: StoredRun, band: Band) -> Checks:
    """Compare the bit rate of a stream with the most clients to that with one."""
    checks = []
    for name, site in product(measured(run), SITES):
        most, one = (_of(run, name, f"mean_kbps {site}", n) for n in (max(WORKERS), min(WORKERS)))
        checks.append(compare(most[0], band, most, one, unit="times that of one client"))
    return checks


def rates(run: StoredRun, band: Band, value: str) -> Checks:
    """Check the minimum or maximum bit rate of a stream (kbit/s), with one client at each site."""
    checks = []
    for name, site in product(measured(run), SITES):
        label, group = _of(run, name, f"{value} {site}", min(WORKERS))
        checks.append(check_group(label, band, group, "kbit/s"))
    return checks


CLAIMS = common.of(
    "streaming",
    {
        "jitter": jitter,
        "beside_the_machine": beside_the_machine,
        "slower_streams": slower_streams,
        "rates": rates,
    },
)


def _by_site(name: str, title: str, y_label: str, value: str, digits: int) -> Chart:
    """A chart of one value at every client site, by the number of clients."""
    return Chart(
        name=name,
        title=title,
        x=("workers",),
        x_label="clients per site",
        y_label=y_label,
        series=tuple(Series(site, STREAM, f"{value} {site}") for site in SITES),
        digits=digits,
        published=published,
    )


class Streaming(Traffic):
    """From the first host, the server, to each of its neighbours."""

    name = "streaming"
    summary = "1, 3 and 9 clients per site take streams from one server"
    source = "Hermans & de Niet 2016"
    topology = "star"
    claims = CLAIMS
    profiles: ClassVar[Mapping[str, Profile]] = {"quick": QUICK, "paper": PAPER}
    tools: ClassVar[Mapping[str, Tool]] = {LATENCY: latency()}
    charts = (
        _by_site("streaming-jitter", "Jitter of streams from one server", "jitter, ms", "jitter_ms", 2),
        _by_site("streaming-rate", "Bit rate of a stream from one server", "kbit/s", "mean_kbps", 0),
        _by_site("streaming-loss", "Loss of streams from one server", "lost, %", "lost_percent", 1),
        Chart(
            name="streaming-latency",
            title="Latency to the server while it streams",
            x=("workers",),
            x_label="clients per site",
            y_label="round trip, ms",
            series=(Series("first client site", STREAM, "latency_ms"),),
            digits=2,
        ),
    )

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Try every number of clients, and take the latency of every link without streams."""
        server = topology.hosts[0].name
        clients = topology.neighbours(server)
        idle = [self.cell(overlay, LATENCY, profile, **{"from": client, "to": server}) for client in clients]
        links = topology.links_of(server)
        stream = {
            "server": server,
            "clients": "+".join(clients),
            "port": "+".join(link.interface(server) for link in links),
            "port_mbps": max((link.rate or 0 for link in links), default=0),
        }
        return idle + [self.cell(overlay, STREAM, profile, workers=n, **stream) for n in WORKERS]

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Start a server per client site on every endpoint: iperf3's takes one test at a time."""
        await tool_servers.serve_all(endpoints.values(), ports(endpoints))

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        await tool_servers.restart_all(endpoints.values(), ports(endpoints))

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        if cell.metric == LATENCY:
            return await super().measure(cell, endpoints)
        server = endpoints[cell.params["server"]]
        clients = cell.params["clients"].split("+")
        commands = {
            name: streams.argv(server.address_for(name), port, cell.seconds, cell.params["workers"])
            for name, port in zip(clients, ports(endpoints), strict=False)
        }
        beside = ping.argv(server.address_for(clients[0]), cell.seconds)
        async with _port(server.host, cell):
            results = await together(
                tool.execute(endpoints[name], argv, cell.duration)
                for name, argv in [*commands.items(), (clients[0], beside)]
            )
        texts = [r.stdout if r.status == 0 else tool.output(r) for r in results]
        raw = streams.join_outputs(dict(zip([*clients, LATENCY], texts, strict=True)))
        argv = commands[clients[0]]
        try:
            values = self.parse(STREAM, raw)
        except MeasureError as error:
            raise MeasureError(error.tool, error.reason, raw, argv) from None
        return Reading(values, raw, tuple(argv), iperf3.facts(texts[0]))

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return streams.parse(raw, LATENCY) if metric == STREAM else super().parse(metric, raw)


def _port(server: Host, cell: Cell) -> AbstractAsyncContextManager[None]:
    """Hold the server to its one port, where its links have a rate to share."""
    if not cell.params["port_mbps"]:
        return nullcontext()
    return shared_port(server, cell.params["port"].split("+"), cell.params["port_mbps"])


def ports(endpoints: Mapping[str, Endpoint]) -> list[int]:
    """Return a port of an iperf3 server for each endpoint that may be a client."""
    return [iperf3.PORT + number for number in range(len(endpoints))]
