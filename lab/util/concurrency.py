"""Work on all hosts side by side, with one plain error when something fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, Literal, TypeVar, cast

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


async def together(
    work: Iterable[Awaitable[T]], *, on_failure: Literal["finish", "cancel"] = "finish"
) -> list[T]:
    """Await all, and return their results in order.

    Nothing is left running behind an error, as `asyncio.gather` would; and the error is one that
    was raised, not a group.

    Args:
        work: coroutines, or other things to be awaited.
        on_failure: let the rest finish and then raise the first error in their order, or cancel the
            rest at the first error in time.
    """
    tasks = [asyncio.ensure_future(one) for one in list(work)]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=on_failure == "finish")
    finally:
        for task in tasks:
            task.cancel()  # those that have ended take no notice
        await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)


async def both(one: Awaitable[A], other: Awaitable[B]) -> tuple[A, B]:
    """`together` for two that return different things."""
    results: list[Any] = await together([one, other])
    return results[0], results[1]
