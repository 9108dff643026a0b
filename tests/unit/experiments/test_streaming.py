"""Streams: how they are sent, and their claims in worlds made up for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments import streaming
from lab import catalog
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    Verdict,
)
from lab.runs.experiment import Cell
from lab.runs.run_folder import StoredRun
from tests.unit.experiments.helpers import about, endpoints, load, made_up, text


async def test_streams_go_to_all_sites_at_once_and_latency_is_taken_beside() -> None:
    experiment = streaming.Streaming()
    topology = catalog.topology(experiment.topology).with_rate(10)
    cells = experiment.cells(topology, "weave", experiment.profiles["quick"])
    cell = next(c for c in cells if c.params.get("workers") == 3)
    recorded = {"iperf3": text("iperf3/stream.json"), "ping": text("ping/summary.txt")}
    found = endpoints(catalog.topology(experiment.topology), recorded)
    reading = await experiment.measure(cell, found)
    asked = [argv for argv in found["BRA"].host.ran if argv == ("sh",)]  # type: ignore[attr-defined]
    limited, freed = found["BRA"].host.fed[-2:]  # type: ignore[attr-defined]
    assert len(asked) == 2
    assert "labport root tbf rate 10mbit" in limited
    assert all(f"dev eth{n} egress" in limited and f"qdisc del dev eth{n}" in freed for n in (1, 2, 3))
    assert "tbf" not in freed
    ports = [argv[argv.index("-p") + 1] for e in found.values() for argv in e.host.ran if "-p" in argv]  # type: ignore[attr-defined]
    assert ports == ["5201", "5202", "5203"]
    assert reading.values == experiment.parse("stream", reading.raw)
    assert reading.values["jitter_ms MIL"] == reading.values["jitter_ms"] > 0


JITTER = (
    ("between 2 and 2.3 ms", "below the 30 ms", "one and with three"),
    {
        0.4: (REFUTED, REPRODUCED, REPRODUCED),
        2.1: (REPRODUCED, REPRODUCED, REFUTED),
        50.0: (REFUTED, REFUTED, REFUTED),
    },
)


def as_theirs(run: StoredRun, words: str) -> Verdict:
    """The answer of the claim that has these words, if streams and jitter here were as theirs."""
    (claim,) = [c for c in load("streaming").claims if words in c.text]
    return replace(claim, differs="").answer(run).verdict


def streams(cell: Cell, jitter: float, extra: float = 0.0, slower: float = 0.3) -> dict[str, float]:
    """What every site gets: the same jitter, `extra` of it on overlays, and less for each of many clients."""
    more = extra if cell.overlay != "underlay" else 0
    kbps = 950.0 * (slower if cell.params.get("workers") == 9 else 1)
    sites = ("AMS", "MIL", "LJU")
    return {"mean_ms": 1.0} | {
        f"{key} {site}": value
        for site in sites
        for key, value in (("jitter_ms", jitter + more), ("mean_kbps", kbps))
    }


@pytest.mark.parametrize("jitter", JITTER[1])
def test_jitter_against_every_limit(jitter: float, tmp_path: Path) -> None:
    run = made_up(tmp_path, "streaming", lambda cell: streams(cell, jitter))
    assert tuple(as_theirs(run, words) for words in JITTER[0]) == JITTER[1][jitter]
    assert {about(run, words) for words in JITTER[0]} == {OPEN}, "streams here are not theirs"


def test_streams_of_overlays_beside_the_machines_and_of_many_beside_one(tmp_path: Path) -> None:
    alike = made_up(tmp_path / "a", "streaming", lambda cell: streams(cell, 2.0, 0.1))
    apart = made_up(tmp_path / "b", "streaming", lambda cell: streams(cell, 2.0, 3.0, slower=1.2))
    unsure = made_up(tmp_path / "c", "streaming", lambda cell: streams(cell, 2.0, 0.55, 1.0), spread=0.05)
    words = ("jitter of the overlays does not differ", "as the number of clients grows")
    told = [[as_theirs(run, w) for w in words] for run in (alike, apart, unsure)]
    assert told == [[REPRODUCED] * 2, [REFUTED] * 2, [OPEN] * 2]


def test_the_bit_rates_of_overlays_are_compared_as_ratios(tmp_path: Path) -> None:
    run = made_up(tmp_path, "streaming", lambda cell: streams(cell, 2.0))
    assert as_theirs(run, "bit rate of a stream does not differ") == REPRODUCED
    (claim,) = [c for c in load("streaming").claims if "bit rate of a stream does not differ" in c.text]
    assert "times as much" in replace(claim, differs="").answer(run).text
