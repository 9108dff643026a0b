"""Write the comparison of overlays: ``python -m scripts.overlays_compared RUN_FOLDER > PAGE``.

The run is one of the multi-hop experiment. Every number on the page is one of its samples, or made of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.common.traffic import LATENCY, TCP, UDP
from experiments.multihop.results import targets
from lab.report import captions
from lab.report.selection import NOTHING, Group, measured_overlays, select, text
from lab.runs import run_folder
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

HEAD = """# Overlays compared

One run of the [multi-hop experiment](../experiments/multihop.md), written by `scripts/overlays_compared.py`
from the run's folder. Means with standard deviation and 95 % interval, where there are several samples.
"""
#: What a run in virtual time leaves out, which must stand beside its numbers.
VIRTUAL = """
Time was **virtual**: the processor costs nothing, whoever encrypts or relays. So these numbers show headers,
MTUs and protocols, and not what a processor needs for them. With one bring-up, nothing can be said about
differences from one bring-up to the next.
"""
REAL = """
Time was real, on one machine that carries all hosts. A sample that the machine limited is marked, and its
number is the machine's. What is faster on two processors need not be faster on others.
"""


def page(run: StoredRun) -> str:
    """Return the page in Markdown."""
    names = measured_overlays(run)
    told = [*captions.not_measured(run), *captions.verdicts(run)]
    parts = [HEAD, VIRTUAL if "virtual" in {s.clock for s in run.samples} else REAL]
    parts += [f"\n{captions.conditions(run)}.\n", "\n", _about(run, names), "\n"]
    for heading, metric, value, digits in (
        ("Round trip, ms", LATENCY, "mean_ms", 2),
        ("TCP received, Mbit/s", TCP, "received_mbps", 1),
        ("UDP received, Mbit/s", UDP, "received_mbps", 1),
    ):
        parts.append(
            _by_hops(run, names, heading, lambda n, t, m=metric, v=value: _group(run, n, m, t, v), digits)
        )
    if told:
        parts += ["\n## What does not count\n\n", *(f"- {sentence}\n" for sentence in told)]
    return "".join(parts)


def _about(run: StoredRun, names: Sequence[str]) -> str:
    """Return a table of what each overlay said of itself: hop, mode, encryption, MTU (bytes)."""
    rows = []
    for name in names:
        mode = next(s.mode for s in run.samples if s.overlay == name and s.ok)
        said = [mode.get(key, NOTHING) for key in ("mode", "encryption", "mtu")]
        rows.append([name, run.manifest.overlays[name].hops or NOTHING, *said])
    return _table(["overlay", "a hop is", "mode", "encryption", "MTU"], rows)


def _by_hops(
    run: StoredRun, names: Sequence[str], heading: str, group: Callable[[str, str], Group], digits: int
) -> str:
    """Return a table of one value by overlay and hops; "" where nobody measured it."""
    topology = Topology.from_dict(run.manifest.topology)
    first = topology.hosts[0].name
    there = [t for t in targets(topology) if any(group(name, t).entries for name in names)]
    if not there:
        return ""
    columns = [f"{topology.hops(first, target)} ({target})" for target in there]
    rows = [[name, *(text(group(name, target), digits) for target in there)] for name in names]
    return f"\n## {heading}\n\n{_table(['overlay, by hops', *columns], rows)}"


def _group(run: StoredRun, overlay: str, metric: str, target: str, value: str) -> Group:
    first = Topology.from_dict(run.manifest.topology).hosts[0].name
    return select(run.samples, overlay, metric, value, **{"from": first, "to": target})


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page(run_folder.read(Path(sys.argv[1]))))
