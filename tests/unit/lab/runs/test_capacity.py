"""The bisection for the highest rate that a machine carries, and what is told before a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.multihop.experiment import Multihop
from lab.errors import LabError
from lab.runs import capacity, capacity_estimate
from lab.runs.experiment import Cell
from lab.runs.sample import Sample, Verdict
from topologies.linear import topology

CELL = Cell("fake", "tcp", {"from": "AMS", "to": "PRG"}, 1, 1.0)
BOUND = Verdict(state="emulator-bound", reasons=["the machine's CPUs were 100% busy"])


def sample(verdict: Verdict = Verdict(), **more: Any) -> Sample:  # noqa: B008
    known: dict[str, Any] = {"outcome": "ok", "values": {"received_mbps": 1.0}, "verdict": verdict, **more}
    return Sample(
        run="r", cell="c", overlay="o", metric="tcp", repetition=1, started="", seconds=1.0, **known
    )


class Machine:
    """A machine that carries rates up to a limit, and says how often it was asked."""

    def __init__(self, carries: Callable[[float], bool], hiccups: int = 0) -> None:
        self.carries, self.hiccups = carries, hiccups
        self.rates: list[float] = []
        self.samples = 0

    async def set_rate(self, rate: float) -> None:
        self.rates.append(rate)

    async def measure(self, cell: Cell) -> Sample:
        self.samples += 1
        assert cell.rate == self.rates[-1], "a cell knows what its links carry now, and offers that"
        if self.hiccups and self.samples % self.hiccups == 0:
            return sample(BOUND)
        return sample() if self.carries(self.rates[-1]) else sample(BOUND)

    async def find(self, **more: Any) -> capacity.Capacity:
        return await capacity.search([CELL], self.set_rate, self.measure, **more)


@pytest.mark.parametrize("limit", [1.5, 7, 42, 130, 990])
async def test_the_limit_is_found_within_a_few_rates(limit: float) -> None:
    machine = Machine(lambda rate: rate <= limit)
    found = await machine.find()
    assert found.rate is not None
    assert found.rate <= limit
    assert limit / found.rate < 1.35
    assert len(machine.rates) <= capacity.STEPS
    assert found.above is not None
    assert found.above.rate > limit
    assert found.why().endswith("is emulator-bound: the machine's CPUs were 100% busy")


async def test_a_machine_that_carries_all_is_asked_once() -> None:
    machine = Machine(lambda rate: True)
    found = await machine.find()
    assert (found.rate, found.above, machine.rates) == (1000.0, None, [1000.0])
    assert found.why() == "the highest that was tried; every sample was valid at it"


async def test_a_machine_that_carries_nothing_is_asked_twice() -> None:
    machine = Machine(lambda rate: False)
    found = await machine.find()
    assert (found.rate, machine.rates) == (None, [1000.0, 1.0])
    assert found.above is not None
    assert found.above.rate == 1.0


async def test_one_bad_moment_proves_nothing() -> None:
    machine = Machine(lambda rate: rate <= 100, hiccups=3)
    found = await machine.find()
    assert found.rate is not None
    assert 100 / found.rate < 1.35


async def test_a_failed_sample_is_no_carried_rate() -> None:
    async def measure(cell: Cell) -> Sample:
        return sample(outcome="failed", error="iperf3: no route", values={})

    async def set_rate(rate: float) -> None: ...

    found = await capacity.search([CELL], set_rate, measure)
    assert found.rate is None
    assert found.why() == "at 1 Mbit/s fake/tcp/from=AMS/to=PRG is broken: iperf3: no route"


def test_rates_are_told_to_two_digits_downwards() -> None:
    assert [capacity.rounded(r) for r in (31.62, 177.8, 999.9, 1.0, 5.49, 0.314)] == [
        31,
        170,
        990,
        1.0,
        5.4,
        0.31,
    ]


def test_of_each_metric_the_longest_path_is_tried_and_shortly() -> None:
    experiment = Multihop()
    cells = experiment.cells(topology(), "underlay", experiment.profiles["paper"])
    found = {cell.metric: cell for cell in capacity.hardest(cells, topology())}
    assert found["tcp"].params["hops"] == found["udp"].params["hops"] == 5
    assert {cell.repetitions for cell in found.values()} == {1}
    assert max(cell.duration for cell in found.values()) <= capacity.SECONDS + capacity.WARMUP


@pytest.mark.parametrize("text", ["foo", "-3", "0", "inf", "nan", ""])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    from lab.app.run import RunRequest, parts

    with pytest.raises(LabError, match="is no rate"):
        parts(RunRequest("multihop", rate=text))


def test_a_rate_that_is_to_be_found_is_said_to_be() -> None:
    from lab.app.run import AUTO, RunRequest, parts

    settled = parts(RunRequest("multihop", rate=AUTO))
    assert settled.profile.rate is None
    assert "found before the run" in settled.profile.why
    assert parts(RunRequest("multihop", rate="55.5")).profile.rate == 55.5


@pytest.mark.parametrize(("rates", "taken"), [((40.0, 31.0), 31.0), ((None, 31.0), None)])
async def test_the_rate_of_a_run_is_what_all_its_overlays_are_carried_at(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[float | None, float], taken: float | None
) -> None:
    from lab.app.run import AUTO, RunRequest, parts
    from lab.cli import capacity as verb

    known = dict(zip(("underlay", "libnetwork"), rates, strict=True))
    above = capacity.CapacityTrial(50.0, "x/tcp", "emulator-bound", ("no CPU was left",))

    async def find(name: str, *_: Any, **__: Any) -> capacity.Capacity:
        return capacity.Capacity(known[name], above, ())

    monkeypatch.setattr(verb, "find", find)
    settled = parts(RunRequest("multihop", rate=AUTO, overlays=tuple(known)))
    monkeypatch.setattr(type(settled.overlays["libnetwork"]), "obtainable", classmethod(lambda cls: None))
    asked = RunRequest("multihop", rate=AUTO)
    if taken is None:
        with pytest.raises(LabError, match="carries no rate on underlay"):
            await verb.with_found_rate(asked, settled, lambda event: None)
        return
    found = await verb.with_found_rate(asked, settled, lambda event: None)
    assert found.profile.rate == taken
    assert {link.rate for link in found.topology.links} == {taken}
    assert found.profile.why.startswith(capacity.FOUND)
    assert "at 50 Mbit/s x/tcp is emulator-bound: no CPU was left" in found.profile.why


def test_a_dry_run_says_as_well_what_cannot_be_carried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lab.app.run import RunRequest, show_plan

    monkeypatch.setattr(capacity_estimate.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(capacity_estimate, "_entries", lambda folder: [])
    show_plan(RunRequest("multihop", rate="1000", overlays=("underlay", "tinc"), only=("hops=5",)))
    assert "tinc at 1000 Mbit/s: 6 daemons in a row" in capsys.readouterr().out.splitlines()[-1]
    show_plan(RunRequest("multihop", overlays=("underlay", "tinc"), only=("hops=5",)))
    assert "daemons" not in capsys.readouterr().out


@pytest.mark.parametrize(("rate", "status"), [(31.0, 0), (None, 1)])
def test_the_verb_prints_words_or_one_line_of_json(
    monkeypatch: pytest.MonkeyPatch, rate: float | None, status: int
) -> None:
    import json

    from typer.testing import CliRunner

    from lab.cli import capacity as verb
    from lab.cli.main import app

    above = capacity.CapacityTrial(40.0, "underlay/tcp", "emulator-bound", ("no CPU was left", "and late"))

    async def find(name: str, *_: Any, **__: Any) -> capacity.Capacity:
        return capacity.Capacity(rate, above, (above,))

    monkeypatch.setattr(verb, "find", find)
    monkeypatch.setattr(verb.os, "geteuid", lambda: 0)
    words = CliRunner().invoke(app, ["capacity", "point_to_point"])
    assert words.exit_code == status, words.output
    start = "underlay: 31 Mbit/s per link (" if rate else "underlay: not even 1 Mbit/s per link is carried"
    assert words.stdout.splitlines()[-1].startswith(start)
    assert "at 40 Mbit/s underlay/tcp is emulator-bound: no CPU was left" in words.stdout
    line = CliRunner().invoke(app, ["capacity", "point_to_point", "--json"])
    assert line.exit_code == status
    found = json.loads(line.stdout)
    assert (found["overlay"], found["topology"], found["rate"]) == ("underlay", "point_to_point", rate)
    assert found["above"]["reasons"] == ["no CPU was left", "and late"]


def test_rates_that_leave_nothing_to_try_are_refused() -> None:
    from typer.testing import CliRunner

    from lab.cli.main import app

    done = CliRunner().invoke(app, ["capacity", "--least", "50", "--most", "20"])
    assert isinstance(done.exception, LabError)
    assert "leave no rate to try" in str(done.exception)
