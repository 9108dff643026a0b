"""Write the comparison of overlays: ``python -m scripts.overlays_compared RUN_FOLDER > PAGE``.

The run is one of the multi-hop experiment. Every number on the page is one of its samples, or made of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.common.traffic import LATENCY, TCP, UDP
from experiments.multihop.results import MultihopSamples
from lab.report import captions
from lab.report.selection import NOTHING, text
from lab.runs import run_folder
from lab.runs.run_folder import StoredRun

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
    view = MultihopSamples(run)
    told = [*captions.not_measured(run), *captions.verdicts(run)]
    parts = [HEAD, VIRTUAL if run.manifest.clock == "virtual" else REAL]
    parts += [f"\n{captions.conditions(run)}.\n", "\n", _about(view), "\n"]
    parts += [
        _by_hops(view, "Round trip, ms", LATENCY, "mean_ms", 2),
        _by_hops(view, "TCP received, Mbit/s", TCP, "received_mbps", 1),
        _by_hops(view, "UDP received, Mbit/s", UDP, "received_mbps", 1),
    ]
    if told:
        parts += ["\n## What does not count\n\n", *(f"- {sentence}\n" for sentence in told)]
    return "".join(parts)


def _about(view: MultihopSamples) -> str:
    """Return a table of what each overlay said of itself: hop, mode, encryption, MTU (bytes)."""
    rows = []
    for name in view.overlays:
        modes = (sample.mode for sample in view.run.samples if sample.overlay == name and sample.ok)
        mode = next(modes, {})  # of an overlay whose traffic always collapsed there is none
        said = [mode.get(key, NOTHING) for key in ("mode", "encryption", "mtu")]
        rows.append([name, view.run.manifest.overlays[name].hops or NOTHING, *said])
    return _table(["overlay", "a hop is", "mode", "encryption", "MTU"], rows)


def _by_hops(view: MultihopSamples, heading: str, metric: str, value: str, digits: int) -> str:
    """Return a table of one value by overlay and hops; "" where nobody measured it."""
    groups = {(o, t): view.group(o, metric, t, value) for o in view.overlays for t in view.targets}
    there = [t for t in view.targets if any(groups[name, t].entries for name in view.overlays)]
    if not there:
        return ""
    columns = [f"{view.topology.hops(view.first, target)} ({target})" for target in there]
    rows = [[name, *(text(groups[name, target], digits) for target in there)] for name in view.overlays]
    return f"\n## {heading}\n\n{_table(['overlay, by hops', *columns], rows)}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page(run_folder.read(Path(sys.argv[1]))))
