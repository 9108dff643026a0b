"""The measuring part of an experiment whose hosts live in a machine of its own, which counts instructions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.icount.machine import Guest
from lab.runs.experiment import Cell, Experiment, Reading


class BoxedExperiment(Experiment):
    """An experiment without hosts of the lab's: one boot of its machine measures every cell once.

    Its `overlays` are paths through the kernel that the guest builds itself, and its bring-ups are boots.
    """

    @abstractmethod
    async def guest(self) -> Guest:
        """Put together what the machine boots with; it measures all cells, whichever are asked for."""

    @abstractmethod
    def rows(self, console: str) -> Mapping[str, str]:
        """Return the raw text of each cell, by its key, from what the guest printed."""

    @abstractmethod
    async def profiled(self, path: str, count: int) -> Guest:
        """Put together a guest that sends `count` datagrams on one path and measures nothing else."""

    @abstractmethod
    def sent(self, count: int) -> int:
        """Return how many datagrams a `profiled` guest sends, with those that do not count."""

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        """Refuse: this experiment is not measured between endpoints."""
        raise MeasureError(self.name, f"it is measured in a machine of its own; run 'lab {self.verb}'")
