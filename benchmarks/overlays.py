"""What each overlay costs, side by side in one run.

    sudo .venv/bin/python benchmarks/overlays.py [--overlay weave ...] [--idle 15] [--seconds 6] [--part pair]

On the six-host chain: seconds until the overlay's status is good, and until all pairs of endpoints
reach each other; install on six hosts beside its slowest install on one; MiB per host; CPU
seconds per idle minute. On two hosts and a link without delay and limit: CPU seconds per GiB
of TCP and the round trip, both beside the underlay's.

CPU and memory are those of a host's container: its daemons, endpoint and the kernel's work for it.
What Weerasinghe & Abel (2014), whom the 2016 study cites, found for VXLAN is a line of the table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import monotonic
from typing import Any

import networkx as nx

# this file has the name of the package that it measures, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.emulation.emulation import Emulation
from lab.errors import LabError, NotObtainable
from lab.hosts.host import Endpoint, Host
from lab.measure.cgroups import folders, read_cpu
from lab.measure.reachability import every_pair
from lab.topology import Topology
from lab.util.signals import cancel_on_signal
from overlays.base import Overlay
from overlays.registry import parse
from topologies import linear

SPECS = (
    *("underlay", "weave:mode=sleeve", "weave:mode=sleeve,encryption=on", "weave:mode=fastdp"),
    *("libnetwork:mode=kv", "libnetwork:mode=swarm", "flannel:backend=vxlan", "flannel:backend=udp"),
    *("flannel:backend=ipip", "flannel:backend=wireguard", "tinc", "tinc:encryption=on"),
    *("wireguard", "wireguard:topology=neighbours", "yggdrasil", "nebula"),
)
#: What has no hops, or is another thing without them.
ON_ONE_LINK = ("flannel:backend=vxlan,directrouting=on", "flannel:backend=host-gw")
#: Cycles per packet, throughput and latency of VXLAN beside no overlay: Weerasinghe & Abel 2014.
PUBLISHED = {"CPU, %": 21.0, "throughput, %": -31.8, "RTT, %": 32.5}
#: How many times as long as on the slowest host alone it may take to install on six.
AT_MOST = 2.0
GIB = 2**30


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
    await every_pair(endpoints, combinations(endpoints, 2), 60, overlay.refresh)
    marks.append(monotonic())
    names = ("install", "ready", "attach", "pairs")
    spans = {name: b - a for name, a, b in zip(names, marks, marks[1:], strict=False)}
    return {**spans, "total": marks[-1] - marks[0], "endpoints": endpoints}


@dataclass(frozen=True)
class Bare:
    """What hosts without any overlay take, together: memory (MiB), and CPU seconds per second."""

    memory: float
    cpu: float


async def bare(lab: Emulation, idle: float) -> Bare:
    return Bare(await resident(list(lab.hosts.values())), await rest(lab, idle) / idle)


async def on_six(
    spec: str, lab: Emulation, topology: Topology, idle: float, without: Bare
) -> dict[str, float]:
    """Figures on the chain."""
    hosts = list(lab.hosts.values())
    overlay = parse(spec)
    try:
        took = await up(overlay, hosts, topology)
        with_it = await resident(hosts)
        idling = await rest(lab, idle) / idle
    finally:
        await overlay.uninstall()
    some = (hosts[0], hosts[len(hosts) // 2], hosts[-1])
    single = max([await install_on_one(spec, host, topology) for host in some])
    return {
        "install, s": took["install"],
        "× one host": took["install"] / single,
        "ready, s": took["install"] + took["ready"],
        "all pairs, s": took["total"],
        "MiB/host": (with_it - without.memory) / len(hosts),
        "CPU s/idle min": (idling - without.cpu) * 60 / len(hosts),
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


async def on_two(spec: str, lab: Emulation, topology: Topology, seconds: float) -> dict[str, float]:
    """Figures on two hosts without delay."""
    overlay = parse(spec)
    try:
        ends = (await up(overlay, list(lab.hosts.values()), topology))["endpoints"]
        a, b = ends.values()
        rtt = await round_trip(a, b)
        before = cpu(lab)
        sent = await transfer(a, b, seconds)
        used = cpu(lab) - before
    finally:
        await overlay.uninstall()
    return {"CPU s/GiB": used / sent["GiB"], "Mbit/s": sent["Mbit/s"], "RTT, µs": rtt}


async def round_trip(a: Endpoint, b: Endpoint) -> float:
    """Median round trip of 100 echoes, µs."""
    said = (await a.run(["ping", "-n", "-c", "100", "-i", "0.01", b.address])).stdout
    times = [float(word[5:]) for word in said.split() if word.startswith("time=")]
    return statistics.median(times) * 1000


async def transfer(a: Endpoint, b: Endpoint, seconds: float) -> dict[str, float]:
    """Send for so many seconds over TCP; returns what arrived, and Mbit/s at the receiver."""
    await b.start(["iperf3", "-s", "-1"])
    end = monotonic() + 20
    while True:
        argv = ["iperf3", "-J", "-t", f"{seconds:g}", "-c", b.address]
        data = json.loads((await a.run(argv, check=False, timeout=seconds + 30)).stdout)
        if "error" not in data:
            got = data["end"]["sum_received"]
            return {"GiB": float(got["bytes"]) / GIB, "Mbit/s": float(got["bits_per_second"]) / 1e6}
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


SIX = ("install, s", "× one host", "ready, s", "all pairs, s", "MiB/host", "CPU s/idle min")
TWO = ("CPU s/GiB", "Mbit/s", "RTT, µs", "CPU, %", "throughput, %", "RTT, %", "RTT added, µs")
NAME = max(map(len, (*SPECS, *ON_ONE_LINK))) + 2


def headed(title: str, columns: Sequence[str]) -> None:
    print(f"\n{title}\n{'':{NAME}}" + "".join(f"{column:>16}" for column in columns), flush=True)


def row(spec: str, figures: Mapping[str, float] | str, columns: Sequence[str]) -> None:
    """Print a line as soon as it is measured."""
    if isinstance(figures, str):
        words = figures
    else:
        words = "".join(f"{figures[c]:16.3g}" if c in figures else f"{'–':>16}" for c in columns)
    print(f"{spec:{NAME}}{words}", flush=True)


def compared(figures: Mapping[str, float], base: Mapping[str, float]) -> Mapping[str, float]:
    """Figures, and what they are beside the underlay's."""
    return {
        **figures,
        "CPU, %": 100 * (figures["CPU s/GiB"] / base["CPU s/GiB"] - 1),
        "throughput, %": 100 * (figures["Mbit/s"] / base["Mbit/s"] - 1),
        "RTT, %": 100 * (figures["RTT, µs"] / base["RTT, µs"] - 1),
        "RTT added, µs": figures["RTT, µs"] - base["RTT, µs"],
    }


async def chain(specs: Sequence[str], idle: float) -> None:
    topology = linear.topology(rate=200.0)
    headed("six hosts in a chain, published round trips, 200 Mbit/s", SIX)
    async with Emulation(topology) as lab:
        without = await bare(lab, idle)
        slow = []
        for spec in specs:
            figures = await measure(spec, lambda s: on_six(s, lab, topology, idle, without))
            row(spec, figures, SIX)
            if not isinstance(figures, str) and figures["× one host"] > AT_MOST:
                slow.append(spec)
    print(f"more than {AT_MOST:g} times as long to install as on one host: {', '.join(slow) or 'none'}")


async def two_hosts(specs: Sequence[str], seconds: float) -> None:
    """The underlay always comes first: the others are held against it."""
    topology, base = pair(), dict[str, float]()
    headed("two hosts, a link without delay or limit; % and added: beside the underlay", TWO)
    async with Emulation(topology) as lab:
        for spec in ("underlay", *(s for s in specs if s != "underlay")):
            figures = await measure(spec, lambda s: on_two(s, lab, topology, seconds))
            if base and not isinstance(figures, str):
                figures = compared(figures, base)
            elif not isinstance(figures, str):
                base = dict(figures)
            row(spec, figures, TWO)
    row("published, VXLAN", PUBLISHED, TWO)


async def both(asked: argparse.Namespace) -> None:
    if asked.part != "pair":
        await chain(asked.overlay or SPECS, asked.idle)
    if asked.part != "chain":
        await two_hosts(asked.overlay or (*SPECS, *ON_ONE_LINK), asked.seconds)


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--overlay", action="append", help="default: all overlays and modes")
    parser.add_argument("--idle", type=float, default=15.0, help="s to watch an idle overlay")
    parser.add_argument("--seconds", type=float, default=6.0, help="s to send over TCP")
    parser.add_argument("--part", choices=["all", "chain", "pair"], default="all")
    asked = parser.parse_args()
    try:
        asyncio.run(cancel_on_signal(both(asked)))
    except asyncio.CancelledError:
        sys.exit("overlays: interrupted; everything was taken away")
    except LabError as error:
        sys.exit(f"overlays: {error}")


if __name__ == "__main__":
    main()
