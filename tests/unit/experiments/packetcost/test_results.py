"""Claims, tables and figures from what a boot printed, and from a world in which they do not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from experiments.packetcost import guest, results
from experiments.packetcost.experiment import PacketCost
from lab.report.claims import OPEN, REFUTED, REPRODUCED, Band, Verdict
from lab.runs.experiment import Cell
from lab.runs.run_folder import StoredRun
from tests.unit.experiments.packetcost.test_guest import CONSOLE
from tests.unit.synthetic import synthetic

PATHS = ("underlay", "libnetwork", "flannel")
ROWS = guest.rows(CONSOLE)


def counted(cell: Cell, *_: Any) -> dict[str, float]:
    return guest.parse(cell.metric, ROWS[cell.key])


def stored(tmp_path: Path, values: Any = counted, **more: Any) -> StoredRun:
    return synthetic(tmp_path, PATHS, experiment=PacketCost(), values=values, **more)


def answers(run: StoredRun) -> Mapping[str, Verdict]:
    """The answers of claims that something counts, by their texts."""
    found = {claim.text: claim.answer(run) for claim in results.CLAIMS}
    return {text: a.verdict for text, a in found.items() if not a.text.startswith("not measured here")}


def test_what_was_counted_answers_every_claim(tmp_path: Path) -> None:
    found = answers(stored(tmp_path))
    assert sorted(found.values()) == sorted([*[REFUTED] * 3, *[REPRODUCED] * 5])
    assert found["Every boot counts the same instructions"] == REPRODUCED


def test_a_figure_has_no_interval_where_the_boots_agree(tmp_path: Path) -> None:
    (check, *_) = results.without_offload(stored(tmp_path), Band())
    assert not isinstance(check, results.CheckResult)
    found = check.estimate(0.95)
    assert found is not None
    assert found.low == found.value == found.high


def test_boots_that_differ_are_named(tmp_path: Path) -> None:
    boots: dict[str, int] = {}

    def drifting(cell: Cell, *_: Any) -> dict[str, float]:
        boots[cell.key] = boots.get(cell.key, 0) + 1
        own = cell.key == "underlay/udp/size=1470"
        return {**counted(cell), "mean": 5.0 + boots[cell.key] * own}

    (finding,) = results.exact(stored(tmp_path, drifting), Band())
    assert isinstance(finding, results.CheckResult)
    assert finding.verdict == REFUTED
    assert "1 of 24 cells differ between boots: underlay/udp/size=1470" in finding.text


def test_one_boot_cannot_tell(tmp_path: Path) -> None:
    assert answers(stored(tmp_path, repetitions=1))["Every boot counts the same instructions"] == OPEN


def test_a_run_of_one_path_leaves_comparisons_open(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ("underlay",), experiment=PacketCost(), values=counted)
    assert list(answers(run).values()).count(OPEN) == 6


def test_published_shares_are_of_the_same_machines() -> None:
    found = results.published("libnetwork")
    assert len(found["udp"]) == len(found["tcp"]) == 6
    assert min(found["udp"]) == pytest.approx(0.40, abs=0.1)
    assert results.published("vxlan") == {"tcp": [], "udp": []}


def test_the_table_beside_the_published_figures(tmp_path: Path) -> None:
    table = results.beside_published(stored(tmp_path))
    counted_rows = {row[0]: row[1:] for row in table.sections[0].rows}
    assert counted_rows["UDP, 1470 bytes"] == ["0.27", "0.22"]
    assert counted_rows["UDP, 1422 bytes"] == ["0.49", "0.39"]
    assert table.sections[1].rows[0][0] == "UDP, iperf"


def test_where_instructions_go_is_shown_if_it_was_counted(tmp_path: Path) -> None:
    run = stored(tmp_path)
    assert results.code(run) == []
    (run.path / "reports").mkdir(exist_ok=True)
    (run.path / results.CODE).write_text(json.dumps({"underlay": {"ip_rcv": 100.0}, "flannel": {"a": 7.4}}))
    (table,) = results.code(run)
    assert table.columns == ["function", "underlay", "flannel"]
    assert table.sections[0].rows[:2] == [["ip_rcv", "100", "0"], ["a", "0", "7"]]
    assert PacketCost().tables(run)[-1].title == table.title
