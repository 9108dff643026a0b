"""What is measured on an overlay before its first sample and thrown away.

The first packets of a path meet what later ones do not: addresses that nobody has asked for yet,
flows that are not there, programs that are not in memory. None of that may be in a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lab.errors import HostError, MeasureError, OverlayError
from lab.events import Emit, Note
from lab.hosts.host import Endpoint
from lab.runs.experiment import Cell, Experiment

#: Its name among a run's phases, by which a report knows that there was one.
PHASE = "warm-up"


def cells(experiment: Experiment, wanted: Iterable[Cell]) -> list[Cell]:
    """A short cell of each metric that is to be measured, without those that disturb the overlay."""
    found: dict[str, Cell] = {}
    for cell in wanted if experiment.warm_up else ():
        if not cell.disturbs:
            short = replace(cell, seconds=experiment.warm_up, warmup=0.0, repetitions=1)
            found.setdefault(cell.metric, short)
    return list(found.values())


async def warm_up(
    experiment: Experiment, short: Sequence[Cell], endpoints: Mapping[str, Endpoint], emit: Emit
) -> None:
    """Measure these cells once and forget them; what fails is told, as it is no sample."""
    for cell in short:
        try:
            await experiment.measure(cell, endpoints)
        except (MeasureError, HostError, OverlayError) as error:
            emit(Note(f"warm-up of {cell.overlay}, {cell.metric}: {error}"))
            await experiment.recover(endpoints)
    if short:
        metrics = ", ".join(cell.metric for cell in short)
        emit(
            Note(
                f"{short[0].overlay}: warm-up of {short[0].seconds:g} s for each of {metrics} was thrown away"
            )
        )
