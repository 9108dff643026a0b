"""CPU of every host over time, as the thesis's figure 10: from idle to busy when a measurement starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.report import bar_chart, captions
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

LOOKS: tuple[dict[str, Any], ...] = (
    {"ls": "-", "color": bar_chart.BLUE},
    {"ls": "--", "color": bar_chart.ORANGE},
    {"ls": ":", "color": bar_chart.GREEN},
    {"ls": "-.", "color": bar_chart.VERMILION},
)


def chosen(run: StoredRun) -> list[Sample]:
    """Choose the first sample of each overlay and metric with CPU over time and without other load."""
    found: dict[tuple[str, str], Sample] = {}
    for sample in run.samples:
        if sample.ok and sample.machine.get("timeline", {}).get("at_s") and not sample.params.get("stress"):
            found.setdefault((sample.overlay, sample.metric), sample)
    return [found[key] for key in sorted(found)]


def draw(run: StoredRun, path: Path) -> Sequence[Path]:
    """Write the figure as SVG and PNG; no file without values over time."""
    samples = chosen(run)
    if not samples:
        return []
    size = (1 + 1.9 * len(samples), 3.2)
    with bar_chart.canvas(path, len(samples), size) as (drawing, axes, files):
        for ax, sample in zip(axes, samples, strict=True):
            record = sample.machine["timeline"]
            for (host, used), look in zip(record["hosts"].items(), LOOKS, strict=False):
                ax.plot(record["at_s"], used, **look, label=host, drawstyle="steps-pre")
            ax.set_title(f"{sample.overlay}\n{sample.metric}", fontsize=8)
            ax.set_xlabel("s")
            ax.grid(lw=0.4, alpha=0.5)
        axes[0].set_ylabel("CPUs in use")
        axes[0].set_ylim(bottom=0)
        axes[0].legend(fontsize="small", frameon=False)
        drawing.suptitle("CPU of the hosts over a measurement", x=0.02, ha="left", fontweight="bold")
        drawing.text(0.02, 0.01, captions.conditions(run), fontsize=7, va="bottom")
        drawing.tight_layout(rect=(0, 0.05, 1, 0.97))
    return files
