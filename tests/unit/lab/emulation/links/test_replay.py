"""A schedule carried out on links: told, undone, and ended where it cannot go on. No root."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from lab.emulation.links import replay as module
from lab.emulation.links.control import Links
from lab.emulation.links.replay import Replay
from lab.events import Note
from lab.topology.schedule import Change
from tests.unit.lab.emulation.links.fakes import Kernel, StoredShaper


async def test_a_schedule_is_carried_out_told_and_undone(links: Links, shaper: StoredShaper) -> None:
    changes = [
        Change(0.0, "AMS-PRG", values=(("loss", 5.0),)),
        Change(0.01, "AMS-PRG", "down"),
        Change(900.0, "AMS-PRG", "up"),
    ]
    told: list[Any] = []
    async with Replay(links, changes, told.append) as replay:
        while len(replay.record()) < 2 or replay.record()[-1]["took_s"] is None:
            await asyncio.sleep(0.001)
        assert shaper.states["AMS-PRG"].down
        assert replay.since(0.0) == ["AMS-PRG: loss 5", "AMS-PRG: down"]
        assert replay.since(float("inf")) == []

    assert not shaper.states["AMS-PRG"].down
    assert shaper.states["AMS-PRG"].ab.loss == 0.0
    assert [one["asked_s"] for one in replay.record()] == [0.0, 0.01]
    assert replay.trouble == ""
    assert len(told) == 2


async def test_a_schedule_that_cannot_go_on_says_so(links: Links, kernel: Kernel) -> None:
    kernel.stuck = True
    replay = Replay(links, [Change(0.0, "AMS-PRG", "down"), Change(0.0, "AMS-PRG", "up")])

    await replay.play()

    assert "the schedule of links ended: AMS-PRG: down: AMS-PRG could not be set down" in replay.trouble
    assert len(replay.record()) == 1


async def test_what_ended_the_work_is_told_not_that_links_cannot_be_set_back(
    links: Links, kernel: Kernel
) -> None:
    replay = Replay(links, [Change(0.0, "AMS-PRG", "down")])
    await replay.__aenter__()
    while not replay.record():
        await asyncio.sleep(0.001)
    kernel.stuck = True

    await replay.__aexit__(KeyError, KeyError(), None)

    assert replay.record()


class Clock:
    """A clock that goes on while somebody sleeps; a change takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 100.0, list[float]()
        monkeypatch.setattr(module, "monotonic", lambda: self.now)
        monkeypatch.setattr(module.asyncio, "sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def carry_out(self, change: Change) -> None:
        self.now += 1.0

    async def reset(self, link: str) -> None: ...


async def test_a_late_change_does_not_make_those_after_it_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = Clock(monkeypatch), list[Any]()
    changes = [Change(at, "AMS-PRG", "down") for at in (2.0, 2.5, 7.0)]
    replay = Replay(clock, changes, told.append)  # type: ignore[arg-type]
    await replay.play()
    assert clock.slept == [2.0, 0.0, 3.0]
    record = replay.record()
    assert [(one["asked_s"], one["began_s"], one["took_s"]) for one in record] == [
        (2.0, 2.0, 1.0),
        (2.5, 3.0, 1.0),
        (7.0, 7.0, 1.0),
    ]
    assert record[0].keys() == {"asked_s", "began_s", "took_s", "at", "what", "error"}
    assert datetime.fromisoformat(record[0]["at"]).utcoffset() is not None
    assert (record[0]["what"], record[0]["error"]) == ("AMS-PRG: down", "")
    assert told[1] == Note("2.5 s: AMS-PRG: down")
    assert [replay.since(moment) for moment in (104.0, 107.5, 108.5)] == [
        ["AMS-PRG: down"] * 2,
        ["AMS-PRG: down"],
        [],
    ]


async def test_times_count_from_when_it_was_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    replay = Replay(clock, [Change(5.0, "AMS-PRG", "down")])  # type: ignore[arg-type]
    replay._start = 98.0
    await replay.play()
    assert (clock.slept, replay.record()[0]["began_s"]) == ([3.0], 5.0)
