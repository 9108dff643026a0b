"""Links of a lab that runs: changed, cut, joined, set back, replayed and calibrated. No root."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links import calibration, link_meter
from lab.emulation.links.control import Links
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape, Wiring
from lab.emulation.links.replay import Replay
from lab.emulation.links.shaper import foresee
from lab.emulation.links.store import LinkStore
from lab.emulation.wire.wire import Wire
from lab.errors import ShaperError, UnknownName
from lab.hosts.host import Result
from lab.topology.schedule import Change
from tests.unit.lab.emulation.links.test_shaper import SPEC

SPEC = replace(SPEC, loss=0.0)


class Shaper:
    """Keeps what is asked, as the real ones do."""

    def __init__(self, folder: Path) -> None:
        self.asked = LinkStore(folder)
        self.asked.begin({SPEC.name: Wiring(SPEC, "a", "b").line})

    @property
    def lines(self) -> Any:
        return self.asked.lines

    def first(self, link: str) -> LinkState:
        return self.asked.find(link, first=True)

    async def change(self, link: str, *, directions: Sequence[str] = DIRECTIONS, **params: Any) -> LinkState:
        line = self.asked.find(link).changed(tuple(directions), **params)
        await self.put(line)
        return line

    async def put(self, line: LinkState) -> None:
        self.asked.keep({**self.lines, line.name: line})

    async def check(self) -> None: ...


class Kernel:
    """One bridge that goes up and down."""

    def __init__(self) -> None:
        self.up, self.stuck = True, False

    async def __call__(self, argv: Any, *, stdin: bytes = b"", **_: Any) -> Result:
        if stdin and not self.stuck:
            assert stdin.startswith(b"link set br3 ")
            self.up = stdin.endswith(b"up\n")
        shown = json.dumps([{"ifname": "br3", "flags": ["BROADCAST", *(["UP"] if self.up else [])]}])
        return Result(tuple(argv), 0, shown, "", 0.0)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def shaper(tmp_path: Path) -> Shaper:
    return Shaper(tmp_path)


@pytest.fixture
def links(kernel: Kernel, shaper: Shaper) -> Links:
    return Links("lab-x", shaper, [SPEC], kernel)  # type: ignore[arg-type]


async def test_a_host_names_the_direction_that_it_sends_into(links: Links, shaper: Shaper) -> None:
    await links.change("PRG-AMS", {"loss": 5.0}, "PRG")

    line = shaper.lines["AMS-PRG"]
    assert (line.ab.loss, line.ba.loss) == (0.0, 5.0)
    with pytest.raises(UnknownName, match="end of link AMS-PRG"):
        await links.change("AMS-PRG", {"loss": 5.0}, "BRA")
    with pytest.raises(UnknownName, match="did you mean 'AMS-PRG'"):
        await links.change("AMS-PRK", {"loss": 5.0})


async def test_a_cut_link_is_cut_until_it_is_joined(links: Links, shaper: Shaper, kernel: Kernel) -> None:
    await links.cut("AMS-PRG")
    assert (kernel.up, shaper.lines["AMS-PRG"].down) == (False, True)
    await links.check()
    await links.change("AMS-PRG", {"rate": 5.0})
    assert not kernel.up
    await links.join("AMS-PRG")
    assert (kernel.up, shaper.lines["AMS-PRG"].down) == (True, False)
    assert shaper.lines["AMS-PRG"].ab.rate == 5.0


async def test_reset_is_as_at_first_but_for_what_the_path_takes(links: Links, shaper: Shaper) -> None:
    await shaper.put(replace(shaper.lines["AMS-PRG"], trim=0.03))
    await links.change("AMS-PRG", {"delay": 40.0, "loss": 1.0})
    await links.cut("AMS-PRG")

    await links.reset("AMS-PRG")

    assert shaper.lines["AMS-PRG"] == replace(Wiring(SPEC, "a", "b").line, trim=0.03)


async def test_a_bridge_that_something_else_switched_is_told(links: Links, kernel: Kernel) -> None:
    kernel.up = False
    with pytest.raises(ShaperError, match="AMS-PRG was open, and is no longer"):
        await links.check()
    kernel.stuck = True
    with pytest.raises(ShaperError, match="could not be joined"):
        await links.join("AMS-PRG")


async def test_a_schedule_is_carried_out_told_and_undone(links: Links, shaper: Shaper) -> None:
    changes = [
        Change(0.0, "AMS-PRG", values=(("loss", 5.0),)),
        Change(0.01, "AMS-PRG", "down"),
        Change(900.0, "AMS-PRG", "up"),
    ]
    told: list[Any] = []
    async with Replay(links, changes, told.append) as replay:
        while len(replay.record()) < 2 or replay.record()[-1]["took_s"] is None:
            await asyncio.sleep(0.001)
        assert shaper.lines["AMS-PRG"].down
        assert replay.since(0.0) == ["AMS-PRG: loss 5", "AMS-PRG: down"]
        assert replay.since(float("inf")) == []

    assert not shaper.lines["AMS-PRG"].down
    assert shaper.lines["AMS-PRG"].ab.loss == 0.0
    assert [one["asked_s"] for one in replay.record()] == [0.0, 0.01]
    assert replay.trouble == ""
    assert len(told) == 2


async def test_a_schedule_that_cannot_go_on_says_so(links: Links, kernel: Kernel) -> None:
    kernel.stuck = True
    replay = Replay(links, [Change(0.0, "AMS-PRG", "down"), Change(0.0, "AMS-PRG", "up")])

    await replay.play()

    assert "the schedule of links ended: AMS-PRG: down: AMS-PRG could not be cut" in replay.trouble
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


def test_what_cannot_be_is_foreseen() -> None:
    foresee(Wire, [SPEC])
    with pytest.raises(ShaperError, match="AMS-PRG: wire cannot impose corrupt"):
        foresee(Wire, [replace(SPEC, corrupt=1.0)])
    with pytest.raises(ShaperError, match="GiB of memory"):
        foresee(Wire, [replace(SPEC, rtt=10_000.0, rate=1_000_000.0)])
    with pytest.raises(ShaperError, match=r"takes 12\.1 s"):
        foresee(Wire, [replace(SPEC, rate=0.001)])


LINE = LinkState("A-B", 1, Shape(10.0, 100.0), Shape(10.0, 100.0, loss=2.0))


def told(**found: Any) -> calibration.Row:
    """A row of a link that is as asked, but for what is found."""
    way = {"sent": 300, "came": 300, "ms": [10.0] * 300, "rate": 99.9}
    back = {**way, "came": 294}
    answer = {"rtt": [19.9, 20.0, 20.1] * 40, "ab": {**way, **found}, "ba": back}
    return calibration.row(LINE, answer)


def test_a_link_that_is_as_asked_has_no_faults() -> None:
    row = told()

    assert calibration.faults(LINE, row) == []
    assert (row["asked_ms"], row["median_ms"], row["p1_ms"], row["p99_ms"]) == (20.0, 20.0, 19.9, 20.1)
    assert (row["ab_mbit"], row["ab_lost_percent"], row["ba_lost_percent"]) == (99.9, 0.0, 2.0)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ({"rate": 90.0}, "A-B (ab) was asked for 100 Mbit/s and has 90"),
        ({"rate": 103.0}, "A-B (ab) was asked for 100 Mbit/s and has 103"),
        ({"came": 299}, "A-B (ab) was asked for a loss of 0 % and lost 0.333"),
    ],
)
def test_every_figure_that_is_off_is_told(found: dict[str, Any], fault: str) -> None:
    assert calibration.faults(LINE, told(**found)) == [fault]


def test_a_median_that_is_off_is_told_and_jitter_and_bursts_allow_for_more() -> None:
    off = {**told(), "median_ms": 20.6}

    assert calibration.faults(LINE, off) == ["A-B was asked for 20 ms and has 20.6"]
    assert calibration.faults(LINE.changed(("ab",), jitter=2.0), off) == []
    bursty = LINE.changed(("ba",), loss=2.0, burst=20.0)
    assert calibration.faults(bursty, {**told(), "ba_lost_percent": 9.0}) == []
    silent = {key: value for key, value in told().items() if key != "median_ms"}
    assert calibration.faults(LINE, silent) == ["A-B was asked for 20 ms and answers nothing"]


def test_a_rate_is_that_of_what_comes_after_the_bucket() -> None:
    full = [(0, 7200)] * 20  # the bucket, at once
    steady = [(60_000_000 + n * 1_000_000, 14400) for n in range(100)]

    # 12 packets of 1200 and their headers each millisecond
    assert link_meter._rate([*full, *steady], 1200, 0.05) == pytest.approx(12 * 1242 * 8 / 1000, rel=1e-3)
    assert link_meter._rate([], 1200, 0.05) == 0.0
