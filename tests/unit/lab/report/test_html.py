"""The page of runs: what it says of a run, and its script."""

from __future__ import annotations

import subprocess
from pathlib import Path

from markupsafe import escape

from experiments.throughput import Throughput
from lab.report import html
from lab.runs.experiment import Cell
from lab.runs.manifest import RunSession
from lab.runs.sample import Verdict
from tests.unit.synthetic import throughput_run


def test_a_page_says_what_was_asked_and_what_each_link_did_before(tmp_path: Path) -> None:
    calibrated = throughput_run(tmp_path, 100, calibration={"AMS-BRA": {"asked_ms": 17.7, "median_ms": 17.8}})
    page = html.render(calibrated, Throughput(), [])
    assert "overlays underlay, weave; topology point_to_point (2 hosts); per cell tcp 2 × 2 s" in page
    assert list(html.calibration(calibrated).sections[0].rows) == [["AMS-BRA", "17.7", "17.8"]]


def test_a_page_opens_with_the_answer_of_every_claim(tmp_path: Path) -> None:
    page = html.render(throughput_run(tmp_path, 100), Throughput(), [])
    opening = page[: page.index("<h3>Result</h3>")]
    assert all(str(escape(claim.text)) in opening for claim in Throughput.claims)
    assert "claimed 0.4 to 0.6" in opening  # the evidence, and not the answer alone


def test_reasons_that_differ_in_their_percentage_are_one(tmp_path: Path) -> None:
    def held(cell: Cell, n: int) -> Verdict:
        return Verdict(state="host-bound", reasons=[f"AMS was held at its CPU quota {n}% of the time"])

    assert html.reasons(throughput_run(tmp_path, 100, verdict=held)) == [
        ("AMS was held at its CPU quota … % of the time", 36)
    ]


def test_a_run_that_another_program_made_is_repeated_by_that_program(tmp_path: Path) -> None:
    for program in ("study.py", "/x/pytest/__main__.py"):
        asked = RunSession(started="now", command=[program, "--rate", "5 Mbit"])
        made = throughput_run(tmp_path / program.replace("/", "_"), 100, sessions=[asked])
        assert html.command(made) == f"{program} --rate '5 Mbit'"


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


def test_a_click_sorts_by_number_and_by_word_and_again_turns_round(tmp_path: Path) -> None:
    page = html.render(throughput_run(tmp_path, 100), Throughput(), [])
    script = page[page.index("<script>") + len("<script>") : page.index("</script>")]
    clicks = """
      heads[1].click(); const up = shown(); heads[1].click(); const down = shown();
      const said = heads[1].getAttribute("aria-sort"); heads[0].click();
      console.log(up, down, said, shown(), heads[1].getAttribute("aria-sort"));
    """
    program = DOCUMENT + script + clicks
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["cba", "abc", "descending", "abc", "null"], done.stderr
