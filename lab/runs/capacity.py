"""The highest link rate at which samples stay valid on this machine, by bisection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, log10, sqrt

from lab.runs.experiment import Cell
from lab.runs.sample import Sample
from lab.topology import Topology

#: Mbit/s between which is looked: below the least, overlays and tools carry little but their own overhead.
LEAST, MOST = 1.0, 1000.0
#: Rates that are tried at most, and how close (ratio) the highest that is carried and the lowest that
#: is not have to come before that.
STEPS, CLOSE = 8, 1.15
#: How many samples of a cell decide about a rate, if they agree; else one more does. So one bad moment
#: proves nothing, and neither does one good one.
MOST_OF_THEM = 2
#: s that a sample lasts, and s before it in which TCP finds its pace.
SECONDS, WARMUP = 2.0, 1.0

#: Sets every link's rate (Mbit/s); measures one cell.
SetRate = Callable[[float], Awaitable[None]]
Measure = Callable[[Cell], Awaitable[Sample]]


@dataclass(frozen=True)
class CapacityTrial:
    """Result of one rate: the cell that failed at it, its state, and the reason; or none."""

    rate: float
    cell: str = ""
    state: str = "valid"
    reasons: tuple[str, ...] = ()
    #: Mbit/s received by cell.
    received: Mapping[str, float] | None = None

    @property
    def carried(self) -> bool:
        return not self.cell


@dataclass(frozen=True)
class Capacity:
    """The highest rate that was carried (Mbit/s; None: not even the lowest), and the lowest that was not."""

    rate: float | None
    above: CapacityTrial | None
    trials: tuple[CapacityTrial, ...]

    def why(self) -> str:
        """In words, what the figure rests on."""
        if self.above is None:
            return "the highest that was tried; every sample was valid at it"
        return (
            f"at {self.above.rate:g} Mbit/s {self.above.cell} is {self.above.state}: {self.above.reasons[0]}"
        )


def hardest(cells: Sequence[Cell], topology: Topology) -> list[Cell]:
    """Of each metric the cell with most hops, as short as a trial; cells that disturb are left out."""
    found: dict[str, Cell] = {}
    for cell in cells:
        known = found.get(cell.metric)
        if not cell.disturbs and (known is None or _hops(cell, topology) > _hops(known, topology)):
            found[cell.metric] = cell
    return [
        replace(c, repetitions=1, seconds=min(c.seconds, SECONDS), warmup=min(c.warmup, WARMUP))
        for c in found.values()
    ]


def _hops(cell: Cell, topology: Topology) -> int:
    a, b = cell.params.get("from"), cell.params.get("to")
    return topology.hops(a, b) if a and b else 0


async def search(
    cells: Sequence[Cell],
    set_rate: SetRate,
    measure: Measure,
    *,
    least: float = LEAST,
    most: float = MOST,
    tell: Callable[[CapacityTrial], None] = lambda trial: None,
) -> Capacity:
    """Try the highest rate, then the lowest, then between; a rate is carried when all its samples count.

    Args:
        cells: what is measured at every rate.
        set_rate: sets all links.
        measure: measures one cell.
        least: Mbit/s, the lowest rate that is tried.
        most: Mbit/s, the highest.
        tell: told of every rate that was tried.

    Raises:
        ShaperError: the links died.
    """
    trials: list[CapacityTrial] = []

    async def carries(rate: float) -> bool:
        await set_rate(rate)
        trials.append(await _try(rate, cells, measure))
        tell(trials[-1])
        return trials[-1].carried

    good, bad = None, most
    if await carries(most):
        return Capacity(most, None, tuple(trials))
    if await carries(least):
        good = least
        while len(trials) < STEPS and bad / good > CLOSE:
            middle = rounded(sqrt(good * bad))
            if not good < middle < bad:
                break
            if await carries(middle):
                good = middle
            else:
                bad = middle
    else:
        bad = least
    above = next(trial for trial in trials if trial.rate == bad)
    return Capacity(good, above, tuple(trials))


async def _try(rate: float, cells: Sequence[Cell], measure: Measure) -> CapacityTrial:
    received = {}
    for cell in cells:
        counted: Counter[bool] = Counter()
        while max(counted.values(), default=0) < MOST_OF_THEM:
            sample = await measure(replace(cell, rate=rate))
            counted[sample.valid and sample.ok] += 1
        if "received_mbps" in sample.values:
            received[cell.key] = round(sample.values["received_mbps"], 2)
        if counted[True] < MOST_OF_THEM:
            reasons = tuple(sample.verdict.reasons) or (sample.error or "no reason was given",)
            state = sample.verdict.state if sample.ok else "broken"
            return CapacityTrial(rate, cell.key, state, reasons, received)
    return CapacityTrial(rate, received=received)


def rounded(rate: float) -> float:
    """A rate (Mbit/s) to two digits, downwards: nothing here is known better."""
    digit = 10.0 ** (floor(log10(rate)) - 1)
    return round(floor(rate / digit + 1e-9) * digit, 6)
