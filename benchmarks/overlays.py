"""What each overlay costs, side by side in one run.

    sudo .venv/bin/python benchmarks/overlays.py [--overlay weave ...] [--idle 20] [--gib 0.5] [--part pair]

On the six-host chain: seconds until the overlay's status is good, and until all pairs of endpoints
reach each other; install on six hosts beside its slowest install on one; MiB per host; CPU
seconds per idle minute. On two hosts and a link without delay and limit: CPU seconds per GiB
of TCP and the round trip, both beside the underlay's.

CPU and memory are those of a host's container: its daemons, endpoint and the kernel's work for it.
Weerasinghe & Abel (2014), whom the 2016 study cites, found +21 % cycles per packet and −31.8 %
throughput for VXLAN.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from time import monotonic
from typing import Any

import networkx as nx

# this file has the name of the package that it measures, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.emulation.emulation import Emulation
from lab.errors import LabError, NotObtainable
from lab.hosts.base import Endpoint, Host
from lab.measure.cgroups import folders, read_cpu
from lab.measure.reach import every_pair
from lab.topology import Topology
from overlays.base import Overlay
from overlays.options import parse
from topologies import linear

SPECS = (
    *("underlay", "weave:mode=sleeve", "weave:mode=sleeve,encryption=on", "weave:mode=fastdp"),
    *("libnetwork:mode=kv", "libnetwork:mode=swarm", "flannel:backend=vxlan", "flannel:backend=udp"),
    *("flannel:backend=ipip", "flannel:backend=wireguard", "tinc", "tinc:encryption=on"),
)
MIB, GIB = 2**20, 2**30


def groups(lab: Emulation, host: str) -> tuple[Path, ...]:
    """Where a host's CPU figures are."""
    membership = Path(f"/proc/{lab.pids[host]}/cgroup").read_text()
    return folders(membership, lab.container_ids[host])


def cpu(lab: Emulation) -> float:
    """CPU seconds of all hosts so far."""
    return sum(read_cpu(groups(lab, host)).seconds for host in lab.hosts)


async def resident(hosts: Sequence[Host]) -> float:
    """Memory of all programs of all hosts, MiB: each page divided by how many share it (PSS)."""
    total = ["sh", "-c", "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {s += $2} END {print s}'"]
    said = await asyncio.gather(*(host.run(total) for host in hosts))
    return sum(int(result.stdout or 0) for result in said) / 1024


async def up(overlay: Overlay, hosts: Sequence[Host], topology: Topology) -> dict[str, Any]:
    """Bring an overlay up and say how long each phase took (s)."""
    marks = [monotonic()]
    await overlay.install(hosts, topology)
    marks.append(monotonic())
    await overlay.ready(90)
    marks.append(monotonic())
    attached = await asyncio.gather(*(overlay.attach(host) for host in hosts))
    endpoints = {e.host.name: e for e in attached}
    marks.append(monotonic())
    await every_pair(endpoints, list(combinations(endpoints, 2)), 60)
    marks.append(monotonic())
    names = ("install", "ready", "attach", "pairs")
    spans = {name: b - a for name, a, b in zip(names, marks, marks[1:], strict=False)}
    return {**spans, "total": marks[-1] - marks[0], "endpoints": endpoints}


async def on_six(spec: str, lab: Emulation, topology: Topology, idle: float) -> dict[str, float]:
    """Figures on the chain."""
    hosts = list(lab.hosts.values())
    before = await resident(hosts)
    resting = await rest(lab, idle)
    overlay = parse(spec)
    try:
        took = await up(overlay, hosts, topology)
        with_it = await resident(hosts)
        idling = await rest(lab, idle)
    finally:
        await overlay.uninstall()
    single = max([await install_on_one(spec, host, topology) for host in (hosts[0], hosts[-1])])
    return {
        "install s": took["install"],
        "× one host": took["install"] / single,
        "ready s": took["install"] + took["ready"],
        "all pairs s": took["total"],
        "MiB/host": (with_it - before) / len(hosts),
        "CPU s/idle min": (idling - resting) * 60 / idle / len(hosts),
    }


async def rest(lab: Emulation, seconds: float) -> float:
    """CPU seconds that all hosts use while nothing happens for so long."""
    before = cpu(lab)
    await asyncio.sleep(seconds)
    return cpu(lab) - before


async def install_on_one(spec: str, host: Host, topology: Topology) -> float:
    """Seconds to install an overlay on a single host."""
    overlay, start = parse(spec), monotonic()
    try:
        await overlay.install([host], topology)
        return monotonic() - start
    finally:
        await overlay.uninstall()


async def on_two(spec: str, lab: Emulation, topology: Topology, gib: float) -> dict[str, float]:
    """Figures on two hosts without delay."""
    overlay = parse(spec)
    try:
        ends = (await up(overlay, list(lab.hosts.values()), topology))["endpoints"]
        a, b = ends.values()
        rtt = await round_trip(a, b)
        before = cpu(lab)
        rate = await transfer(a, b, gib)
        used = cpu(lab) - before
    finally:
        await overlay.uninstall()
    return {"CPU s/GiB": used / gib, "Mbit/s": rate, "RTT µs": rtt}


async def round_trip(a: Endpoint, b: Endpoint) -> float:
    """Median round trip of 100 echoes, µs."""
    said = (await a.run(["ping", "-n", "-c", "100", "-i", "0.01", b.address])).stdout
    times = [float(word[5:]) for word in said.split() if word.startswith("time=")]
    return statistics.median(times) * 1000


async def transfer(a: Endpoint, b: Endpoint, gib: float) -> float:
    """Send so many GiB over TCP; returns Mbit/s at the receiver."""
    await b.start(["iperf3", "-s", "-1"])
    end = monotonic() + 20
    while True:
        argv = ["iperf3", "-J", "-n", str(round(gib * GIB)), "-c", b.address]
        data = json.loads((await a.run(argv, check=False, timeout=300)).stdout)
        if "error" not in data:
            return float(data["end"]["sum_received"]["bits_per_second"]) / 1e6
        if monotonic() > end:
            raise LabError(f"iperf3 from {a.name} to {b.name}: {data['error']}")


def pair() -> Topology:
    """Two hosts on a link that adds nothing of its own."""
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("AMS", site="AMS")
    graph.add_node("PRG", site="PRG")
    graph.add_edge("AMS", "PRG", rtt=0.0, rate=None)
    return Topology(graph, name="pair")


async def measure(spec: str, work: Any) -> Mapping[str, float] | str:
    """The figures of one overlay, or why there are none."""
    missing = parse(spec).obtainable()
    if missing:
        return f"cannot: {missing.what}"
    try:
        figures: Mapping[str, float] = await work(spec)
    except NotObtainable as error:
        return f"cannot: {error.reason}"
    except LabError as error:
        return f"failed: {error}"
    return figures


async def table(title: str, specs: Sequence[str], topology: Topology, work: Any, base: str = "") -> None:
    """Measure every overlay on one lab and print a line as each is done."""
    print(f"\n{title}")
    reference: Mapping[str, float] = {}
    async with Emulation(topology) as lab:
        for spec in specs:
            figures = await measure(spec, lambda s: work(s, lab, topology))
            if isinstance(figures, str):
                print(f"{spec:34} {figures}", flush=True)
                continue
            reference = reference or (figures if spec == base else {})
            print(
                f"{spec:34} " + "  ".join(f"{k} {v:.3g}" for k, v in compared(figures, reference)), flush=True
            )


def compared(figures: Mapping[str, float], base: Mapping[str, float]) -> list[tuple[str, float]]:
    """Figures, followed by what they are beside the underlay's, where those are known."""
    more = []
    if base and figures is not base:
        more = [
            ("CPU vs underlay %", 100 * (figures["CPU s/GiB"] / base["CPU s/GiB"] - 1)),
            ("throughput vs underlay %", 100 * (figures["Mbit/s"] / base["Mbit/s"] - 1)),
            ("RTT added µs", figures["RTT µs"] - base["RTT µs"]),
        ]
    return [*figures.items(), *more]


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--overlay", action="append", help="default: all overlays and modes")
    parser.add_argument("--idle", type=float, default=20.0, help="s to watch an idle overlay")
    parser.add_argument("--gib", type=float, default=0.5, help="GiB to send over TCP")
    parser.add_argument("--part", choices=["all", "chain", "pair"], default="all")
    asked = parser.parse_args()
    specs = asked.overlay or SPECS
    chain = linear.topology(rate=200.0)

    async def six(spec: str, lab: Emulation, topology: Topology) -> dict[str, float]:
        return await on_six(spec, lab, topology, asked.idle)

    async def two(spec: str, lab: Emulation, topology: Topology) -> dict[str, float]:
        return await on_two(spec, lab, topology, asked.gib)

    if asked.part != "pair":
        await table("six hosts in a chain, published round trips, 200 Mbit/s", specs, chain, six)
    if asked.part != "chain":
        await table("two hosts, a link without delay or limit", specs, pair(), two, base="underlay")
    print("\nWeerasinghe & Abel 2014, VXLAN: +21 % cycles per packet, −31.8 % throughput, +32.5 % latency")


if __name__ == "__main__":
    asyncio.run(main())
