"""The contract of an experiment: its grid, its measurement, its table and its figures.

Repetition, order, store, resume, progress and verdicts are the engine's (`lab.runs`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from lab.hosts.base import Endpoint
from lab.topology import Topology


@dataclass(frozen=True)
class Profile:
    """How much of everything: `repetitions` and `seconds` by metric; `rate` (Mbit/s) of the links, if it sets one."""

    name: str
    repetitions: Mapping[str, int]
    seconds: Mapping[str, float]
    rate: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Cell:
    """One point of the grid. `key` names it for good: a resumed run finds its samples by it."""

    overlay: str
    metric: str
    params: Mapping[str, Any] = field(default_factory=dict)
    repetitions: int = 1
    seconds: float = 1.0

    @property
    def key(self) -> str:
        words = [self.overlay, self.metric] + [f"{k}={v}" for k, v in sorted(self.params.items())]
        return "/".join(words)


@dataclass(frozen=True)
class Reading:
    """What one measurement gave: named values (unit in the name) and the tool's own output."""

    values: Mapping[str, float]
    raw: str
    argv: tuple[str, ...] = ()


class Experiment(ABC):
    """A question of the studies, as a grid of cells and a way to measure one."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    topology: ClassVar[str]
    overlays: ClassVar[tuple[str, ...]]
    profiles: ClassVar[Mapping[str, Profile]]

    @abstractmethod
    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """The grid for one overlay."""

    @abstractmethod
    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        """Measure one repetition of one cell; `endpoints` is keyed by host name.

        Raises:
            MeasureError: the tool failed; its raw text is in the error.
        """

    @abstractmethod
    def figures(self, samples: Sequence[Mapping[str, Any]], folder: Path) -> Sequence[Path]:
        """Draw the experiment's figures from stored samples and return the files made."""
