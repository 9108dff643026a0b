"""The page of several runs: side by side, what was different, the scorecard; and the verb that writes it."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from experiments.throughput import Throughput
from lab import catalog
from lab.cli.main import app
from lab.report import cell_stats, comparison, html
from lab.report import ratios as pairs
from lab.runs.experiment import Cell
from lab.runs.manifest import RunSession
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Verdict
from lab.topology import Topology
from tests.unit.synthetic import synthetic


def run(path: Path, carried: float, **more: object) -> StoredRun:
    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {"received_mbps": carried + chance.gauss(0, 0.1)}

    make: Callable[..., StoredRun] = synthetic
    topology = catalog.topology("point_to_point")
    return make(
        path, ("underlay", "weave"), experiment=Throughput(), topology=topology, values=values, **more
    )


def test_two_runs_stand_side_by_side_with_ratios_and_what_was_different(tmp_path: Path) -> None:
    one = run(tmp_path / "a", 100)
    other = run(tmp_path / "b", 50, run="0ther1", environment={"kernel": "6.18"})
    (table,) = comparison.tables([one, other])
    ratios, different = table.sections
    assert all(row[-1].startswith("0.50 [") for row in ratios.rows)
    assert ["kernel", "6.1", "6.18"] in [list(row[:3]) for row in different.rows]
    assert all(len(row) == len(table.columns) for section in table.sections for row in section.rows)


def test_one_run_alone_stands_beside_nothing(tmp_path: Path) -> None:
    assert list(comparison.tables([run(tmp_path, 100)])) == []


def test_every_overlay_is_held_against_every_other_in_the_same_cell(tmp_path: Path) -> None:
    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        return {"received_mbps": {"underlay": 100, "weave": 50, "tinc": 25}[cell.overlay] + chance.random()}

    topology = catalog.topology("point_to_point")
    three = synthetic(
        tmp_path, ("underlay", "weave", "tinc"), experiment=Throughput(), topology=topology, values=values
    )
    table = pairs.table(three)
    assert table.sections[0].heading == "tcp/from=AMS/to=BRA"
    rows = {(a, b): words for a, b, words in table.sections[0].rows}
    assert rows.keys() == {("weave", "underlay"), ("tinc", "underlay"), ("tinc", "weave")}
    assert rows["tinc", "weave"].startswith("0.50 [")
    # and of too few valid samples there is no ratio
    assert pairs.table(run(tmp_path / "two", 100, repetitions=2)).sections == []


def test_a_page_says_what_was_asked_and_what_each_link_did_before(tmp_path: Path) -> None:
    calibrated = run(tmp_path, 100, calibration={"AMS-BRA": {"asked_ms": 17.7, "median_ms": 17.8}})
    page = html.render(calibrated, Throughput(), [])
    assert "overlays underlay, weave; topology point_to_point (2 hosts); per cell tcp 5 × 2 s" in page
    assert list(html.calibration(calibrated).sections[0].rows) == [["AMS-BRA", "17.7", "17.8"]]


def test_reasons_that_differ_in_their_percentage_are_one(tmp_path: Path) -> None:
    def held(cell: Cell, n: int) -> Verdict:
        return Verdict(state="host-bound", reasons=[f"AMS was held at its CPU quota {n}% of the time"])

    assert html.reasons(run(tmp_path, 100, verdict=held)) == [
        ("AMS was held at its CPU quota … % of the time", 30)
    ]


def test_a_run_that_another_program_made_is_repeated_by_that_program(tmp_path: Path) -> None:
    for program in ("study.py", "/x/pytest/__main__.py"):
        asked = RunSession(started="now", command=[program, "--rate", "5 Mbit"])
        made = run(tmp_path / program.replace("/", "_"), 100, sessions=[asked])
        assert html.command(made) == f"{program} --rate '5 Mbit'"


def test_a_cell_has_its_numbers_and_no_statistic_of_too_few(tmp_path: Path) -> None:
    spoilt = run(
        tmp_path,
        100,
        repetitions=3,
        verdict=lambda cell, n: Verdict(state="emulator-bound" if n == 1 else "valid"),
    )
    row = dict(zip(cell_stats.COLUMNS, cell_stats.rows(spoilt)[0], strict=True))
    assert (row["valid"], row["not valid"], row["failed"]) == ("2", "1", "0")
    assert row["mean"] != "–"
    assert (row["median"], row["95 % from"], row["to"]) == ("–", "–", "–")


def test_the_verb_writes_one_page_of_several_runs(tmp_path: Path) -> None:
    folders = [run(tmp_path / "a", 100).path, run(tmp_path / "b", 50, run="0ther1").path]
    page = tmp_path / "all.html"
    done = CliRunner().invoke(app, ["report", *map(str, folders), "-o", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    ET.fromstring(re.sub(r"<(meta|img|br)([^>]*)>", r"<\1\2/>", text.removeprefix("<!doctype html>")))
    assert "Side by side" in text
    assert "no run of multihop" in text
    assert text.count("<img ") == 4, "figure and topology of each"
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert len(text) < 5_000_000


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 1
    assert "is no run folder" in str(done.exception)


def test_one_folder_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    good, old, torn = (run(tmp_path / name, 100, run=name).path for name in ("good", "old", "torn"))
    manifest = old / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    (torn / "samples.jsonl").write_text((torn / "samples.jsonl").read_text()[:-30])
    done = CliRunner().invoke(app, ["scorecard", str(good), str(old), str(torn)])
    assert done.exit_code == 0, done.output
    assert "has schema 99, this lab reads schema 1" in done.output
    assert "the last line ends in mid-air" in done.output
    assert "reproduced" in done.output
    page = tmp_path / "all.html"
    assert CliRunner().invoke(app, ["report", str(old), str(good), "-o", str(page)]).exit_code == 0
    assert "throughput" in page.read_text()


#: As much of a document as the page's script asks for: one table of two columns and three rows.
DOCUMENT = """
const cell = text => ({textContent: text});
const rows = [["b", "10.5"], ["c", "9"], ["a", "200"]].map(words => ({cells: words.map(cell)}));
const head = () => {
  const made = {attributes: {}, firstChild: {addEventListener: (_, act) => { made.click = act; }}};
  made.getAttribute = name => made.attributes[name] ?? null;
  made.setAttribute = (name, value) => { made.attributes[name] = value; };
  made.removeAttribute = name => { delete made.attributes[name]; };
  return made;
};
const heads = [head(), head()];
const body = {rows, append: (...sorted) => { body.rows = sorted; }};
const table = {tBodies: [body], tHead: {rows: [{cells: heads}]}};
const document = {querySelectorAll: wanted => wanted === "table.sortable" ? [table] : []};
const shown = () => body.rows.map(row => row.cells[0].textContent).join("");
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_click_sorts_by_number_and_by_word_and_again_turns_round(tmp_path: Path) -> None:
    page = html.render(run(tmp_path, 100), Throughput(), [])
    script = page[page.index("<script>") + len("<script>") : page.index("</script>")]
    clicks = """
      heads[1].click(); const up = shown(); heads[1].click(); const down = shown();
      const said = heads[1].getAttribute("aria-sort"); heads[0].click();
      console.log(up, down, said, shown(), heads[1].getAttribute("aria-sort"));
    """
    program = DOCUMENT + script + clicks
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["cba", "abc", "descending", "abc", "null"], done.stderr
