#!/usr/bin/env python3
"""A backbone of a hundred sites in virtual time: ten pairs send TCP at once, over links of 1 Gbit/s.

No machine could carry that by its own clock. In virtual time each link has its rate, whatever the machine:
the script runs in a box (see docs/explanation/virtual-time.md), and ends there. Without a file the network
is drawn at random, always the same.

    sudo .venv/bin/python examples/virtual_backbone.py [FILE.graphml] [--cities 100] [--rate 1000]
"""

from __future__ import annotations

import argparse
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import networkx as nx

from lab import Lab
from lab.formats import files
from lab.topology import Topology

#: Round trips of drawn links (ms), as between cities of a continent.
ROUND_TRIPS = (2.0, 12.0)


def drawn(cities: int) -> Topology:
    """Return a network in which each new site gets links to two others, preferably to those with many
    links.
    """
    chance = random.Random(1)
    graph = nx.relabel_nodes(nx.barabasi_albert_graph(cities, 2, seed=1), lambda n: f"c{n}")
    for city in graph:
        graph.nodes[city]["site"] = "AMS"
    for a, b in graph.edges:
        graph.edges[a, b]["rtt"] = round(chance.uniform(*ROUND_TRIPS), 2)
    return Topology(graph, name="backbone")


def main() -> None:
    """Build the network, let the pairs send at the same time, and print what each received."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--cities", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=1000, help="of every link, Mbit/s")
    asked = parser.parse_args()
    topology = files.read(asked.file, largest_component=True) if asked.file else drawn(asked.cities)
    names = [host.name for host in topology.hosts]
    chosen = random.Random(2).sample(names, min(2 * asked.pairs, len(names) // 2 * 2))
    pairs = list(zip(chosen[::2], chosen[1::2], strict=True))
    with Lab(topology, overlay="underlay", rate=asked.rate, clock="virtual") as lab:
        print(f"{topology.name}: {len(names)} hosts, {len(topology.links)} links, up at {monotonic():.2f} s")
        ends = lab.endpoints()
        for _, server in pairs:
            ends[server].start(["iperf3", "-s", "-1"])

        def send(pair: tuple[str, str]) -> float:
            client, server = (ends[name] for name in pair)
            argv = [
                "iperf3",
                "-J",
                "-t",
                f"{asked.seconds:g}",
                "--connect-timeout",
                "9000",
                "-c",
                server.address,
            ]
            report = json.loads(client.run(argv, timeout=asked.seconds + 60).stdout)
            return float(report["end"]["sum_received"]["bits_per_second"]) / 1e6

        with ThreadPoolExecutor(len(pairs)) as turns:
            received = list(turns.map(send, pairs))
        print(f"{'from':>8} {'to':>8} {'links':>6} {'RTT, ms':>8} {'Mbit/s':>8}")
        for (a, b), rate in zip(pairs, received, strict=True):
            print(f"{a:>8} {b:>8} {topology.hops(a, b):6d} {topology.rtt(a, b):8.2f} {rate:8.1f}")


if __name__ == "__main__":
    main()
