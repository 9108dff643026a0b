"""The time to write and to read GTS DSL documents, per host, and how that grows.

    python benchmarks/dsl.py [--repeat N] [--largest N]

Chains and random graphs (two links per host) of 10, 100, 1,000 and 10,000 hosts. Each
measurement is CPU time of this process, the least of several, so that other load on the
machine counts little. Memory is the peak of a fresh process that reads the largest
document, above an interpreter that has done nothing.

Aims: the time per host grows by at most half from 100 to 10,000 hosts, and reading 10,000
hosts takes less than 128 MiB. A line that misses its aim says so; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from time import process_time
from typing import Any

import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab import dsl  # noqa: E402
from lab.topology import Topology  # noqa: E402
from lab.topology.sites import SITES  # noqa: E402

SIZES = (10, 100, 1000, 10_000)
MOST_GROWTH, MOST_MEMORY = 1.5, 128.0  # times, MiB
PEAK = """
import re, sys
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
idle = peak()
if len(sys.argv) > 1:
    from lab import dsl
    dsl.parse(open(sys.argv[1]).read())
print(peak() - idle)
"""


def chain(hosts: int) -> nx.Graph[Any]:
    """Hosts in a row."""
    return nx.path_graph(hosts)


def scattered(hosts: int) -> nx.Graph[Any]:
    """A row with as many links again between hosts drawn by chance, where there is room for them."""
    draw = random.Random(1)
    links = {(n, n + 1) for n in range(hosts - 1)}
    while len(links) < min(2 * hosts, hosts * (hosts - 1) // 2):
        a, b = draw.randrange(hosts), draw.randrange(hosts)
        if a != b:
            links.add((min(a, b), max(a, b)))
    graph: nx.Graph[Any] = nx.empty_graph(hosts)
    graph.add_edges_from(sorted(links))
    return graph


def topology(shape: Callable[[int], nx.Graph[Any]], hosts: int) -> Topology:
    """A topology of this shape and size on the known sites."""
    graph = nx.relabel_nodes(shape(hosts), {n: f"h{n + 1}" for n in range(hosts)})
    nx.set_node_attributes(graph, dict(zip(graph, cycle(SITES), strict=False)), "site")
    return Topology(graph, name="large")


def least(work: Callable[[], Any], repeat: int) -> float:
    """CPU seconds of the fastest of several goes."""
    times = []
    for _ in range(repeat):
        start = process_time()
        work()
        times.append(process_time() - start)
    return min(times)


def peak(document: Path) -> float:
    """MiB above an idle interpreter that a process needs to read a document."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(document)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return float(done.stdout)


def measure(name: str, shape: Callable[[int], nx.Graph[Any]], repeat: int, largest: int) -> bool:
    """Print the table of one shape; whether every aim was reached."""
    per_host: dict[str, dict[int, float]] = {"export": {}, "parse": {}}
    text = ""
    for hosts in (size for size in SIZES if size <= largest):
        made = topology(shape, hosts)
        text = dsl.export(made)
        goes = repeat * max(1, 200 // hosts)
        per_host["export"][hosts] = least(lambda made=made: dsl.export(made), goes) * 1e6 / hosts
        per_host["parse"][hosts] = least(lambda text=text: dsl.parse(text), goes) * 1e6 / hosts
        cells = "".join(f"{per_host[what][hosts]:10.0f}" for what in per_host)
        print(f"{name:8}{hosts:8,}{len(text):12,}{cells}", flush=True)
    good = True
    for what, times in per_host.items():
        growth = times[max(times)] / times[100]
        good &= growth <= MOST_GROWTH
        verdict = "" if growth <= MOST_GROWTH else f"   MISSED: aim {MOST_GROWTH}"
        print(f"{name:8}{what} grows by {growth:.2f} from 100 to {max(times):,} hosts{verdict}")
    with tempfile.NamedTemporaryFile("w", suffix=".dsl") as file:
        file.write(text)
        file.flush()
        used = peak(Path(file.name))
    verdict = "" if used < MOST_MEMORY else f"   MISSED: aim {MOST_MEMORY:g}"
    print(f"{name:8}reading {max(times):,} hosts takes {used:.0f} MiB above an idle interpreter{verdict}\n")
    return good and used < MOST_MEMORY


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeat", type=int, default=3, help="goes per measurement (default 3)")
    options.add_argument("--largest", type=int, default=SIZES[-1], help="stop at this many hosts")
    given = options.parse_args()
    dsl.parse(dsl.export(topology(chain, 10)))  # grammar and imports, once
    print(f"{'shape':8}{'hosts':>8}{'characters':>12}{'export':>10}{'parse':>10}   µs of CPU per host")
    results = [
        measure(*shape, given.repeat, max(100, given.largest))
        for shape in (("chain", chain), ("random", scattered))
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
