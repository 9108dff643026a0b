"""CPU of every host over time, as the thesis's figure 10: from idle to busy when a measurement starts."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from lab.report import captions, drawing
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample

STYLES = ("-", "--", ":", "-.")
TITLE = "CPU of the hosts over a measurement"


def chosen(run: StoredRun) -> list[Sample]:
    """Choose the first sample of each overlay and metric with CPU over time and without other load."""
    found: dict[tuple[str, str], Sample] = {}
    for sample in run.samples:
        if sample.ok and sample.machine.get("timeline", {}).get("at_s") and not sample.params.get("stress"):
            found.setdefault((sample.overlay, sample.metric), sample)
    return [found[key] for key in sorted(found)]


def draw(run: StoredRun, path: Path) -> Sequence[Path]:
    """Write the figure and its caption; no file without values over time."""
    samples = chosen(run)
    if not samples:
        return []
    columns = min(drawing.COLUMNS, len(samples))
    shape = (ceil(len(samples) / columns), columns)
    caption = [
        TITLE,
        "The first sample of each overlay and metric.",
        f"Conditions: {captions.conditions(run)}.",
    ]
    height = 0.6 + shape[0] * drawing.MANY_LINES
    with drawing.canvas(path, shape, height, caption, sharey=True) as (sheet, axes, files):
        for ax, sample in zip(axes, samples, strict=False):
            record = sample.machine["timeline"]
            for number, (host, used) in enumerate(record["hosts"].items()):
                style = STYLES[number % len(STYLES)]
                ax.plot(record["at_s"], used, style, label=host, drawstyle="steps-pre")
            ax.set_title(f"{captions.label(run, sample.overlay)}, {sample.metric}")
            ax.set_ylim(bottom=0)
        for ax in axes[len(samples) :]:
            ax.set_axis_off()
        sheet.supxlabel("s")
        sheet.supylabel("CPUs in use")
        handles, labels = axes[0].get_legend_handles_labels()
        sheet.legend(handles, labels, loc="outside upper left", ncols=len(labels))
    return files
