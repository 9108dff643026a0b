"""One feed for readers of any speed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.feed.hub import KEPT, Hub, Item, Pending, merged

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 99), st.sampled_from(["", "late"])),
    max_size=6,
)


def links(rows: list[tuple[int, int, int, str]], lab: str = "class") -> dict[str, Any]:
    """A `links` object, of rows that a watch could have made: both directions of a link, or none."""
    values = {(link, way): rate for link, _, rate, _ in rows for way in (0, 1)}
    why = {str(link): sentence for link, _, _, sentence in rows}
    found = [[link, way, rate, why[str(link)]] for (link, way), rate in values.items()]
    told = {link: sentence for link, sentence in why.items() if sentence}
    return {"v": 1, "t": 1.0, "kind": "links", "lab": lab, "columns": [], "rows": found, "why": told}


def event(number: int) -> dict[str, Any]:
    return {"v": 1, "t": 1.0, "kind": "event", "level": "info", "text": str(number)}


def state(objects: list[dict[str, Any]]) -> dict[Any, Any]:
    """The state that a page has after these objects."""
    seen: dict[Any, Any] = {}
    for one in objects:
        for row in one["rows"]:
            seen[row[0], row[1]] = (row[2], one["why"].get(str(row[0]), ""))
    return seen


@given(st.lists(ROWS, max_size=8))
def test_a_slow_reader_ends_with_the_state_of_a_fast_one(rows: list[Any]) -> None:
    objects = [links(one) for one in rows]
    slow = Pending()
    for one in objects:
        slow.add(Item(one))
    assert len(slow.all()) <= 1
    assert state([item.plain for item in slow.all()]) == state(objects)


def test_settings_that_changed_are_kept_when_objects_are_merged() -> None:
    first = {**links([(0, 0, 1, "")]), "asked": {"0": "old", "1": "kept"}}
    second = {**links([(0, 0, 2, "")]), "asked": {"0": "new"}}
    assert merged(first, second)["asked"] == {"0": "new", "1": "kept"}
    assert "asked" not in merged(links([]), links([]))


def test_a_reader_that_never_takes_anything_keeps_a_bounded_part() -> None:
    pending = Pending()
    for number in range(10 * KEPT):
        pending.add(Item(event(number)))
        pending.add(Item(links([(number % 5, 0, number, "")])))
    texts = [item.plain["text"] for item in pending.all() if item.plain["kind"] == "event"]
    assert texts == [str(number) for number in range(9 * KEPT, 10 * KEPT)]
    assert len(pending.all()) == KEPT + 1


def test_a_lab_that_is_told_anew_begins_without_its_old_links() -> None:
    pending = Pending()
    pending.add(Item(links([(0, 0, 1, "")])))
    pending.add(Item(links([(0, 0, 1, "")], "other")))
    pending.add(Item({"v": 1, "t": 1.0, "kind": "lab", "lab": "class"}))
    assert [(item.plain["kind"], item.plain["lab"]) for item in pending.all()] == [
        ("links", "other"),
        ("lab", "class"),
    ]


def test_the_grid_of_a_run_stays_for_those_who_come_later() -> None:
    pending = Pending()
    pending.add(Item({"kind": "run", "run": "x", "done": 1, "cells": ["a"]}))
    pending.add(Item({"kind": "run", "run": "x", "done": 2}))
    assert [item.plain for item in pending.all()] == [{"kind": "run", "run": "x", "done": 2, "cells": ["a"]}]


async def test_a_new_reader_gets_the_latest_state_first_then_the_news() -> None:
    hub = Hub()
    hub.publish([links([(0, 0, 1, "")]), event(1)])
    reader = hub.join()
    assert [item.plain["kind"] for item in await reader.take()] == ["links", "event"]
    hub.publish([event(2)])
    assert [json.loads(item.text)["text"] for item in await reader.take()] == ["2"]


async def test_nobody_is_waited_for_and_a_reader_that_left_gets_nothing() -> None:
    hub = Hub()
    waiting = asyncio.create_task(hub.readers())
    await asyncio.sleep(0)
    assert not waiting.done()
    reader = hub.join()
    await waiting
    hub.leave(reader)
    hub.publish([event(1)])
    assert not reader.pending
