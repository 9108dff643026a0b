#!/usr/bin/env python3
"""A network of the Internet Topology Zoo's form, from its file to measured round trips.

`baltic.graphml` has cities, their places, and the speeds of the links between them. The lab makes
delays of the places (see docs/reference/topologies), builds the network, routes over the shortest ways, and
measures from every city to every other: the matrix has what was measured beside what the links on
the way add up to.

    sudo .venv/bin/python examples/topology_zoo.py [FILE.graphml]
"""

from __future__ import annotations

import argparse
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

from lab import Lab
from lab.formats import files
from lab.topology import Topology

HERE = Path(__file__).resolve().parent
#: Pings at the same time: as many as leave a small machine idle enough to time them.
AT_ONCE = 3


def measure(topology: Topology, count: int) -> dict[tuple[str, str], float]:
    """The lowest of `count` round trips between every pair of hosts (ms)."""
    with Lab(topology, overlay="underlay") as lab, ThreadPoolExecutor(AT_ONCE) as turns:
        ends = lab.endpoints()

        def ping(pair: tuple[str, str]) -> float:
            a, b = pair
            said = ends[a].run(["ping", "-n", "-c", str(count), "-i", "0.2", ends[b].address]).stdout
            return min(float(ms) for ms in re.findall(r"time=([0-9.]+)", said))

        pairs = list(combinations(ends, 2))
        return dict(zip(pairs, turns.map(ping, pairs), strict=True))


def main() -> None:
    """Read the file, measure, and print the matrix."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=HERE / "baltic.graphml")
    parser.add_argument("--count", type=int, default=5, help="pings per pair")
    asked = parser.parse_args()
    topology = files.read(asked.file, largest_component=True)
    print(f"{topology.name}: {len(topology.hosts)} cities, {len(topology.links)} links")
    print(f"{'from':>12} {'to':>12} {'links':>6} {'expected, ms':>13} {'measured, ms':>13} {'off':>6}")
    for (a, b), got in sorted(measure(topology, asked.count).items()):
        hops, should = topology.hops(a, b), topology.rtt(a, b)
        print(f"{a:>12} {b:>12} {hops:6d} {should:13.2f} {got:13.2f} {got - should:6.2f}")


if __name__ == "__main__":
    main()
