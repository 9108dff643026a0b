"""Datagram: UDP throughput by the size of datagrams around the MTU, 1000 to 2000 bytes.

Zismer 2016, section 4.3.1 ("Impact of fragmentation") and figure 12: a datagram that does not
fit into one packet is cut into fragments, which costs CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from experiments.common import claims as common
from experiments.common.profiles import Times, host_bound
from experiments.common.traffic import UDP, Tool, Traffic, udp
from lab.hosts.host import Endpoint
from lab.measure import ethtool
from lab.report import claims
from lab.report.captions import with_mode
from lab.report.charts import Chart, Series
from lab.report.selection import Group, select
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import StoredRun

#: Bytes of data in a datagram.
SIZES = tuple(range(1000, 2001, 100))


def _udp(run: StoredRun, overlay: str, size: int) -> tuple[str, Group]:
    group = select(run.samples, overlay, UDP, "received_mbps", size=size)
    return f"{overlay} with {size} bytes", group


def limits(run: StoredRun) -> dict[str, int]:
    """Return per overlay the most bytes of data in one packet, from the MTU kept with its samples."""
    mtus = {sample.overlay: sample.facts["mtu"] for sample in run.samples if "mtu" in sample.facts}
    return {name: ethtool.udp_payload(int(mtus[name])) for name in claims.measured(run) if name in mtus}


def _around(limit: int) -> tuple[int, int]:
    """Return the last size up to a limit and the first above it; 0 where there is none."""
    below, above = [s for s in SIZES if s <= limit], [s for s in SIZES if s > limit]
    return max(below, default=0), min(above, default=0)


def _across(run: StoredRun, overlay: str, limit: int, band: claims.Band) -> claims.Check | claims.CheckResult:
    """Compare the first size above a limit with the last one below it."""
    below, above = _around(limit)
    label = f"{with_mode(run, overlay)} from {below} to {above} bytes"
    if not below or not above:
        return claims.undecided(f"{label}: the sizes do not reach across {limit} bytes")
    return claims.compare(label, band, _udp(run, overlay, above), _udp(run, overlay, below))


def dropping(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Across each overlay's own MTU."""
    return [_across(run, name, limit, band) for name, limit in limits(run).items()]


def later(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Across the least MTU, of the overlays into whose own the first size above that one still goes."""
    found = limits(run)
    least = min(found.values(), default=0)
    larger = [name for name, limit in found.items() if limit >= _around(least)[1] > 0]
    if not larger:
        return [claims.undecided("no measured size fits into one packet on some overlays and not on others")]
    return [_across(run, name, least, band) for name in larger]


def rising(run: StoredRun, band: claims.Band) -> claims.Checks:
    """Test throughput for a rise with the size as long as a datagram is one packet."""
    rows = []
    for name, limit in limits(run).items():
        groups = {size: _udp(run, name, size)[1] for size in SIZES if size <= limit}
        rows.append(claims.Trending.over(with_mode(run, name), groups, "bytes"))
    return claims.check_trends(rows, band)


CLAIMS = common.of("datagram", {"dropping": dropping, "later": later, "rising": rising})


class Datagram(Traffic):
    """From the first host to its neighbour, in datagrams of eleven sizes."""

    name = "datagram"
    summary = "UDP by the size of datagrams, 1000 to 2000 bytes"
    source = "Zismer 2016, section 5.1.2, figure 12"
    topology = "point_to_point"
    claims = CLAIMS
    profiles = host_bound({UDP: Times(3, 1)})
    tools: ClassVar[Mapping[str, Tool]] = {UDP: udp()}
    grid: ClassVar[Mapping[str, Sequence[int]]] = {"size": SIZES}
    charts = (
        Chart(
            name="fig12-datagram",
            title="UDP throughput by the size of datagrams",
            x=("size",),
            x_label="bytes of data in a datagram",
            y_label="received, Mbit/s",
            series=(Series("UDP", UDP, "received_mbps"),),
        ),
        Chart(
            name="fig12-datagram-sent",
            title="UDP by the size of datagrams, the sender's view that 2016 plotted",
            x=("size",),
            x_label="bytes of data in a datagram",
            y_label="sent, Mbit/s",
            series=(Series("UDP", UDP, "sent_mbps"),),
        ),
    )

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        source = endpoints[cell.params["from"]]
        mtu = await ethtool.mtu(source, source.interface)
        return await udp(cell.params["size"]).measure(cell, endpoints, mtu=str(mtu))
