"""A schedule carried out on links: told, undone, and ended where it cannot go on. No root."""

from __future__ import annotations

import asyncio
from typing import Any

from lab.emulation.links.control import Links
from lab.emulation.links.replay import Replay
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
