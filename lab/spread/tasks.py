"""The two functions that a client may ask a worker for, by their names; each takes data and returns data."""

from __future__ import annotations

from typing import Any

from lab.errors import RunError


async def carry_out(work: str) -> dict[str, Any]:
    """Measure one block (`lab.spread.messages.Work` as JSON) on the worker that runs this, and return `Done`.

    Raises:
        RunError: the block has to be measured elsewhere; says why.
    """
    result: dict[str, Any] = await _worker().carry_out(work)
    return result


async def survey(inquiry: str) -> dict[str, Any]:
    """Describe the machine of the worker that runs this, for the blocks of an `Inquiry` as JSON."""
    result: dict[str, Any] = await _worker().survey(inquiry)
    return result


def _worker() -> Any:
    from distributed import get_worker

    worker = get_worker()
    if not hasattr(worker, "survey"):
        raise RunError(f"{worker.name} is a plain worker of Dask; start 'lab worker' on that machine")
    return worker
