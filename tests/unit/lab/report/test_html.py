"""The page of runs: what it says of a run, and its script."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from markupsafe import escape

from experiments.throughput import Throughput
from experiments.window import Window
from lab.errors import RunError
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
    opening = page[: page.index(">Figures</h3>")]
    assert all(str(escape(claim.text)) in opening for claim in Throughput.claims)
    assert "claimed 0.4 to 0.6" in opening  # the evidence, and not the answer alone
    told = re.findall(r"<strong>(reproduced|not reproduced|cannot be told)</strong>: ", opening)
    assert told == sorted(told, key=("reproduced", "not reproduced", "cannot be told").index)
    assert len(set(told)) > 1
    # two overlays that carry the same, where a half was claimed
    assert re.search(
        r'<p class="number">(1|0\.99\d|1\.00\d?) \[[^]]*\] of the underlay&#39;s <span>', opening
    )


def test_a_figure_has_its_caption_and_one_without_has_its_name(tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 100)
    files = Throughput().figures(run, tmp_path / "figures")
    found = html.captioned(files[0])
    assert found["title"] == "TCP and UDP throughput"
    assert found["alt"].startswith("TCP and UDP throughput. ")
    assert "Dots are samples" in found["reading"]
    assert "shaped by wire" in found["conditions"]
    files[0].with_suffix(".txt").unlink()
    assert html.captioned(files[0])["title"] == "fig01: throughput"


def test_a_caption_that_leads_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("words")
    (tmp_path / "figures").mkdir()
    figure = tmp_path / "figures" / "f.svg"
    figure.write_text("<svg/>")
    figure.with_suffix(".txt").symlink_to(tmp_path / "secret")
    with pytest.raises(RunError):
        html.captioned(figure)


def test_a_page_has_the_first_samples_and_says_how_many_more_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MOST_SAMPLES", 10)
    page = html.render(throughput_run(tmp_path, 100), Throughput(), [])
    assert "The first 10; 26 more are in" in page


def test_an_experiment_without_claims_says_so(tmp_path: Path) -> None:
    page = html.render(throughput_run(tmp_path, 100), Window(), [])
    assert "No study made a claim about this" in page


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
