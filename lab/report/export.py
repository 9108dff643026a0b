"""A run's samples as rows for other programs, and their values derived again from the raw outputs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.errors import MachineError, MeasureError, RunError
from lab.runs.experiment import Experiment
from lab.runs.run_folder import StoredRun
from lab.runs.run_folder_check import raw_fault, raw_text
from lab.runs.sample import Sample
from lab.util import files

#: With these a formula begins.
FORMULA = tuple("=+-@\t\r")
#: What of a sample stands in columns of its own, before its parameters and values.
PLAIN = (
    "run",
    "overlay",
    "metric",
    "cell",
    "bring_up",
    "repetition",
    "attempt",
    "started",
    "seconds",
    "outcome",
    "collapsed",
    "error",
)


def rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Make a flat row per sample; every row has every column, None where a sample has nothing."""
    flat = [_row(sample) for sample in samples]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    return [{name: row.get(name) for name in columns} for row in flat]


def _row(sample: Sample) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(sample, name) for name in PLAIN}
    row["verdict"], row["valid"] = sample.verdict.state, sample.valid
    row["reasons"] = "; ".join(sample.verdict.reasons)
    row["mode"], row["congestion_control"] = sample.mode.get("mode"), sample.congestion_control
    row |= {f"param.{name}": value for name, value in sample.params.items()}
    return row | {f"value.{name}": value for name, value in sample.values.items()}


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """Write one line per sample as CSV; missing values are empty, never zero."""
    found = rows(samples)
    names = [_harmless(name) for name in (found[0] if found else PLAIN)]
    held = io.StringIO(newline="")
    writer = csv.writer(held)
    writer.writerow(names)
    writer.writerows([_harmless(value) for value in row.values()] for row in found)
    files.put(path, held.getvalue())


def _harmless(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula, and run.

    Numbers stay numbers, also negative ones. OWASP, *CSV Injection*.
    """
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value


def write_parquet(samples: Sequence[Sample], path: Path) -> None:
    """Write the same as Parquet.

    Raises:
        MachineError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MachineError(
            "--parquet needs pyarrow, which is not installed; pip install pyarrow, or use --csv"
        ) from None
    held = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows(samples)), held)
    files.put(path, held.getvalue())


def reparsed(run: StoredRun, experiment: Experiment) -> Iterator[tuple[Sample, str]]:
    """Yield every sample with its values derived again from its raw output, and a remark about it.

    A raw file that is gone or edited, or that is no measurement any more, leaves the sample as
    it was stored, with a sentence; so does a failed sample, without one.
    """
    for sample in run.samples:
        if not sample.ok:
            yield sample, ""
        elif fault := raw_fault(run.path, sample):
            yield sample, fault
        else:
            yield _derived(run, experiment, sample)


def _derived(run: StoredRun, experiment: Experiment, sample: Sample) -> tuple[Sample, str]:
    where = f"{sample.cell} #{sample.repetition}"
    try:
        values = dict(experiment.parse(sample.metric, raw_text(run.path, sample)))
    except (MeasureError, RunError) as error:
        return sample, f"{where}: its raw output is no measurement to this version: {error}"
    changed = sorted(
        name for name in values.keys() | sample.values.keys() if values.get(name) != sample.values.get(name)
    )
    remark = f"{where}: {', '.join(changed)} differ from what was stored" if changed else ""
    return sample.model_copy(update={"values": values}), remark
