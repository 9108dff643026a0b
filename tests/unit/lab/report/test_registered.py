"""Claims in files: what such a file must have, and that a change after a run does not stay unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.common.claims import FILES
from lab.app.request import all_claims, load_experiment
from lab.app.run import begun
from lab.errors import ClaimsError
from lab.report.claims import OPEN, REPRODUCED, Band, CheckResult, Checks, scorecard, scorecard_table
from lab.report.html import RunSection, render_all
from lab.report.registered import read, registered
from lab.runs.run_folder import StoredRun
from lab.topology import Topology
from lab.util.files import sha256
from tests.unit.synthetic import throughput_run

ENTRY = """\
study: a study
claims:
  - id: one
    experiment: throughput
    text: One is one
    source: page 1
    registered: "2030-01-01"
    cells: all
    statistic: found
    arguments: {word: told}
    band: {low: 1}
    why: it says so
"""

#: The end of the note on a claim that may be another one than before its run.
AS_MEASURED = ": the numbers are as measured, but the claim or its limits may be newer than the run"


def found(run: StoredRun, band: Band, word: str) -> Checks:
    return [CheckResult(REPRODUCED, f"{word}, {band}")]


def written(path: Path, text: str = ENTRY) -> Path:
    path.write_text(text)
    return path


def test_a_claim_is_checked_by_its_statistic_with_its_band(tmp_path: Path) -> None:
    (claim,) = registered([written(tmp_path / "a.yaml")], "throughput", {"found": found})
    answer = claim.answer(throughput_run(tmp_path, 100))
    assert (answer.verdict, answer.text) == (REPRODUCED, "told, at least 1")
    assert (claim.text, claim.source, claim.measured, claim.need) == ("One is one", "page 1", "all", "all")
    assert registered([written(tmp_path / "b.yaml")], "mesh", {}) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    why: it says so\n", "", "a.yaml:3:5: claims.0.why: Field required"),
        ("why: it says so", 'why: ""', "a.yaml:12:5: claims.0.why: String should have at least 1 character"),
        ("2030-01-01", "soon", "a.yaml:7:5: claims.0.registered: String should match"),
        ("band: {low: 1}", "band: {least: 1}", "a.yaml:11:12: claims.0.band.least: Extra inputs"),
        ("statistic: found", "statistic: fund", "throughput has no statistic 'fund'; it has found"),
        ("    statistic: found\n", "", "claim one needs a statistic, or the reason why nothing measures it"),
    ],
)
def test_a_file_that_lacks_something_is_refused_with_the_place(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "a.yaml", ENTRY.replace(old, new))
    with pytest.raises(ClaimsError) as error:
        registered([file], "throughput", {"found": found})
    assert said in str(error.value)


def test_what_nothing_measures_stands_in_the_scorecard_with_the_reason(tmp_path: Path) -> None:
    text = ENTRY.replace("statistic: found", "not_measured: no such machine is here")
    (claim,) = registered([written(tmp_path / "a.yaml", text)], "throughput", {})
    answer = claim.answer(throughput_run(tmp_path, 100))
    assert (answer.verdict, answer.text) == (OPEN, "not measured here: no such machine is here")


def test_what_differs_from_the_study_leaves_a_claim_open(tmp_path: Path) -> None:
    text = ENTRY + "    differs: their streams were others\n"
    (claim,) = registered([written(tmp_path / "a.yaml", text)], "throughput", {"found": found})
    answer = claim.answer(throughput_run(tmp_path, 100))
    assert (answer.verdict, answer.text) == (OPEN, "told, at least 1; but their streams were others")


def test_every_registered_claim_is_one_of_an_experiment_and_named_once() -> None:
    entries = [entry for file in FILES for entry in read(file).claims]
    assert len({entry.id for entry in entries}) == len(entries)
    own = [claim for claims in all_claims().values() for claim in claims if claim.file is not None]
    assert len(own) == len(entries)
    assert {"hermans-de-niet.yaml", "ours.yaml", "zismer.yaml"} <= {file.name for file in FILES}


def test_a_run_keeps_the_checksums_of_its_claims(tmp_path: Path) -> None:
    experiment = load_experiment("throughput")
    run = throughput_run(tmp_path, 100)
    made = begun(experiment, Topology.from_dict(run.manifest.topology), experiment.profiles["quick"], seed=1)
    assert made.claims == {file.name: sha256(file) for file in FILES}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("", ""),
        ("# a word more\n", f"a.yaml, the file of this claim, was changed after the run began{AS_MEASURED}"),
    ],
)
def test_a_file_that_was_changed_after_a_run_is_named(change: str, said: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml")
    run = throughput_run(tmp_path, 100, claims={"a.yaml": sha256(file)})
    written(file, ENTRY + change)
    claims = {"throughput": registered([file], "throughput", {"found": found})}
    (row,) = scorecard(claims, [run])
    assert row.registration == said
    table = scorecard_table([row])
    assert (AS_MEASURED in str(table)) == bool(said)
    page = render_all([RunSection(run, load_experiment("throughput"))], claims)
    assert (AS_MEASURED in page) == bool(said)


def test_a_run_that_says_nothing_of_its_claims_is_one_of_before(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml")
    claims = registered([file], "throughput", {"found": found})
    (row,) = scorecard({"throughput": claims}, [throughput_run(tmp_path, 100)])
    assert row.evidence.endswith(f"; the run has no checksum of a.yaml, the file of this claim{AS_MEASURED}")
    # claims in code, of others, have no file
    bare = [replace(claim, file=None) for claim in claims]
    (row,) = scorecard({"throughput": bare}, [throughput_run(tmp_path / "b", 100)])
    assert row.evidence == "told, at least 1"
