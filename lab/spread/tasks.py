"""The two functions that a client may ask a worker for, by their names; each takes data and returns data."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from lab.errors import RunError


async def carry_out(work: str) -> dict[str, Any]:
    """Measure one block (`lab.spread.messages.Work` as JSON) on the worker that runs this; returns `Done`.

    An error is returned too, as text: a worker does not load what Dask makes of exceptions.
    """
    return await _answer(_worker().carry_out(work))


async def survey(inquiry: str) -> dict[str, Any]:
    """Describe the machine of the worker that runs this, for the blocks of an `Inquiry` as JSON."""
    return await _answer(_worker().survey(inquiry))


async def _answer(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    try:
        return await work
    except Exception as error:  # whatever it was: the client decides what follows
        return {"error": str(error) or type(error).__name__}


def error_of(answer: Any) -> str:
    """Return the error that a task answered with; "" for another answer."""
    return str(answer["error"]) if isinstance(answer, dict) and set(answer) == {"error"} else ""


def _worker() -> Any:
    from distributed import get_worker

    worker = get_worker()
    if not hasattr(worker, "survey"):
        raise RunError(f"{worker.name} is a plain worker of Dask; start 'lab worker' on that machine")
    return worker
