"""Work on all hosts side by side, with one plain error when something fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait until all are through, failed or not, then return their results in order.

    Nothing is left running behind an error, as `asyncio.gather` would; and the error is the
    first one itself, not a group.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


async def both(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """`together` for two that return different things."""
    first, second = await together([one, other])
    return first, second  # type: ignore[return-value]
