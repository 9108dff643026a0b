"""Distributions of jitter, as tables for netem.

netem multiplies the jitter by a number that it draws from a table. tc has tables of its own, but
none that makes a uniform distribution whose standard deviation is the jitter, nor one that sets a
link back to uniform once it had another. So the lab brings its own; the wire draws from the same
distributions (`lab.emulation.links.jitter`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import NormalDist

from lab.emulation.links.jitter import PARETO_DEVIATION, PARETO_MEAN, PARETO_MOST, WIDEST
from lab.topology.impairments import DISTRIBUTIONS

SIZE = 4096
#: What stands for one standard deviation (``NETEM_DIST_SCALE`` in ``linux/pkt_sched.h``).
SCALE = 8192


def quantile(distribution: str, share: float) -> float:
    """Return how many standard deviations from the mean a share (0 to 1) of all values stays below."""
    quantiles: dict[str, Callable[[float], float]] = {
        "normal": NormalDist().inv_cdf,
        "uniform": lambda p: sqrt(3) * (2 * p - 1),
        "pareto": lambda p: (min(PARETO_MOST, (1 - p) ** (-1 / 3)) - PARETO_MEAN) / PARETO_DEVIATION,
    }
    return max(-WIDEST, min(WIDEST, quantiles[distribution](share)))


def table(distribution: str) -> str:
    """Return a distribution as tc reads it."""
    most = 2**15 - 1
    values = (round(SCALE * quantile(distribution, (i + 0.5) / SIZE)) for i in range(SIZE))
    return "\n".join(str(max(-most, min(most, value))) for value in values) + "\n"


def write(folder: Path) -> None:
    """Put all tables into a folder, once."""
    for name in DISTRIBUTIONS:
        file = folder / f"{name}.dist"
        if not file.exists():
            file.write_text(table(name))
