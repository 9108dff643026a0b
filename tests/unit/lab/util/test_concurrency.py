"""Work side by side: what an error leaves, with either rule."""

from __future__ import annotations

import asyncio

import pytest

from lab.util.concurrency import both, together


async def ends(value: int, after: float, ended: list[int]) -> int:
    await asyncio.sleep(after)
    ended.append(value)
    return value


async def fails(after: float, words: str) -> int:
    await asyncio.sleep(after)
    raise ValueError(words)


async def test_results_come_in_the_order_of_the_work() -> None:
    ended: list[int] = []
    assert await together([ends(1, 0.02, ended), ends(2, 0.0, ended)]) == [1, 2]
    assert ended == [2, 1]
    assert await both(ends(3, 0.0, ended), asyncio.sleep(0, "x")) == (3, "x")


async def test_an_error_lets_the_rest_finish_and_the_first_in_order_is_raised() -> None:
    ended: list[int] = []
    with pytest.raises(ValueError, match="late"):
        await together([fails(0.01, "late"), fails(0.0, "soon"), ends(1, 0.02, ended)])
    assert ended == [1]


async def test_an_error_ends_the_rest_where_that_was_asked_for() -> None:
    ended: list[int] = []
    with pytest.raises(ValueError, match="soon"):
        await together([fails(0.01, "late"), fails(0.0, "soon"), ends(1, 0.02, ended)], on_failure="cancel")
    await asyncio.sleep(0.03)
    assert ended == []


@pytest.mark.parametrize("rule", ["finish", "cancel"])
async def test_who_is_cancelled_leaves_nothing_running(rule: str) -> None:
    ended: list[int] = []
    whole = asyncio.ensure_future(together([ends(1, 0.02, ended)], on_failure=rule))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    await asyncio.sleep(0.03)
    assert ended == []
