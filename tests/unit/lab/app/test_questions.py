"""Questions at the end of a run: which runs answer them, and that all that they name is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.common.claims import FILES
from lab import plugins
from lab.app.questions import answered
from lab.app.request import all_claims
from lab.report.claims import OPEN, REFUTED, REPRODUCED
from lab.report.registered import read
from lab.runs import pack
from tests.unit.experiments.helpers import as_in_2016, made_up
from tests.unit.synthetic import synthetic

ASKED = [(file, question) for file in FILES for question in read(file).questions]


def test_every_question_is_about_claims_and_experiments_that_there_are() -> None:
    known = {claim.id for claims in all_claims().values() for claim in claims}
    assert len(ASKED) == 2
    for _, question in ASKED:
        assert set(question.after) <= set(plugins.names("experiments"))
        assert len(question.parts) == 2, "two sentences"
        for part in question.parts:
            assert set(part.claims) <= known


def test_the_main_job_ends_with_both_questions_of_the_thesis(tmp_path: Path) -> None:
    found = answered([synthetic(tmp_path)])
    assert [one.question.source for one in found] == [
        "Zismer 2016, research question 1",
        "Zismer 2016, research question 2",
    ]
    for part in (part for one in found for part in one.parts):
        assert part.sentence.endswith(".")
        assert part.verdict != OPEN or "would tell" in part.sentence
        assert len(part.evidence) == len(part.rows)


def test_a_run_beside_it_answers_and_the_newest_does(tmp_path: Path) -> None:
    main = synthetic(tmp_path)
    assert answered([main])[0].parts[0].verdict == OPEN
    made_up(tmp_path, "throughput", as_in_2016)
    (first, _) = answered([main])[0].parts
    assert first.verdict == REPRODUCED
    assert "carry about half" in first.sentence
    assert "(run 5ynth1 of throughput, " in first.evidence[0]
    # a newer one, of which nothing can be read, is no answer, and no older one speaks in its place
    (tmp_path / "throughput-20990101T000000Z-abcdef").mkdir()
    assert answered([main])[0].parts[0].verdict == OPEN


def test_other_experiments_end_without_questions(tmp_path: Path) -> None:
    assert answered([made_up(tmp_path, "mesh", as_in_2016)]) == []


@pytest.mark.parametrize("name", [name for file in FILES for name in read(file).stored])
def test_stored_runs_are_whole_and_decide_their_claims(name: str) -> None:
    with pack.opened(FILES[0].parent / name) as whole:
        (run,) = whole.runs
    own = {claim.id: claim for claim in all_claims()[run.manifest.experiment]}
    parts = [part for _, question in ASKED for part in question.parts]
    wanted = [own[name] for part in parts for name in part.claims if name in own]
    assert wanted
    for claim in wanted:
        assert claim.answer(run).verdict in (REPRODUCED, REFUTED), claim.id
