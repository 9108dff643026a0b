"""Questions of studies: a sentence per part, with the numbers of the claims that decide it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.errors import ClaimsError
from lab.report.claims import OPEN, REFUTED, REPRODUCED, CheckResult, Checks, Claim, Verdict
from lab.report.html import RunSection, render_all
from lab.report.questions import answer
from lab.report.registered import Question, read
from lab.runs.run_folder import StoredRun
from tests.unit.synthetic import throughput_run

PART: dict[str, Any] = {
    "subject": "The cause",
    "claims": ["one", "two"],
    "reproduced": "It is so: {one} and {two}.",
    "not reproduced": "It is not so: {found}.",
    "tell": "'lab run throughput' would tell",
}


def asked(**change: Any) -> Question:
    known = {"id": "q", "text": "Why?", "source": "s", "after": ["throughput"], "parts": [{**PART, **change}]}
    return Question.model_validate(known)


def claim(name: str, verdict: Verdict, number: str) -> Claim:
    """A claim that each run but an old one decides so."""

    def checks(run: StoredRun) -> Checks:
        old = run.manifest.run == "old"
        return [
            CheckResult(OPEN if old else verdict, "too few" if old else number, "" if old else number, "x")
        ]

    return Claim(f"claim {name}", "s", "all", checks, every_mode=True, id=name)


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return throughput_run(tmp_path, 100)


@pytest.mark.parametrize(
    ("first", "second", "need", "verdict", "sentence"),
    [
        (REPRODUCED, REPRODUCED, "all", REPRODUCED, "It is so: 1 [1–1] (x) and 2 [2–2] (x)."),
        (REPRODUCED, REFUTED, "all", REFUTED, "It is not so: 2 [2–2] (x)."),
        (REFUTED, REFUTED, "all", REFUTED, "It is not so: 1 [1–1] (x); 2 [2–2] (x)."),
        (
            REPRODUCED,
            OPEN,
            "all",
            OPEN,
            "The cause cannot be told: 2 [2–2]; 'lab run throughput' would tell.",
        ),
        (
            REFUTED,
            OPEN,
            "some",
            OPEN,
            "The cause cannot be told: 2 [2–2]; 'lab run throughput' would tell.",
        ),
        (REFUTED, REPRODUCED, "some", REPRODUCED, "It is so: 1 [1–1] (x) and 2 [2–2] (x)."),
    ],
)
def test_the_sentence_is_that_of_the_outcome_with_its_numbers(
    first: Verdict, second: Verdict, need: str, verdict: Verdict, sentence: str, run: StoredRun
) -> None:
    claims = {
        "one": ("throughput", claim("one", first, "1 [1–1]")),
        "two": ("throughput", claim("two", second, "2 [2–2]")),
    }
    (part,) = answer(asked(need=need), claims, [run]).parts
    assert (part.verdict, part.sentence) == (verdict, sentence)
    assert (
        part.evidence[0] == f"{first}: claim one: 1 [1–1] (x) (run 5ynth1 of throughput, links of 20 Mbit/s)"
    )


def test_the_first_run_that_decides_answers_and_no_run_says_what_would_tell(run: StoredRun) -> None:
    claims = {"one": ("throughput", claim("one", REPRODUCED, "1 [1–1]"))}
    question = asked(claims=["one"], reproduced="So: {one}.")
    old = replace(run, manifest=run.manifest.model_copy(update={"run": "old"}))
    other = replace(run, manifest=run.manifest.model_copy(update={"experiment": "mesh"}))
    (part,) = answer(question, claims, [old, run]).parts
    assert part.verdict == REPRODUCED
    assert part.rows[0].run == run.manifest.run
    (part,) = answer(question, claims, [old]).parts
    assert part.sentence == "The cause cannot be told: too few; 'lab run throughput' would tell."
    (part,) = answer(question, claims, [other]).parts
    assert part.sentence.startswith("The cause cannot be told: there is no run of throughput; 'lab run")
    assert part.evidence == ["cannot be told: claim one: there is no run of throughput"]


def test_evidence_of_a_run_that_came_with_the_lab_says_so(run: StoredRun) -> None:
    claims = {"one": ("throughput", claim("one", REPRODUCED, "1 [1–1]"))}
    question = asked(claims=["one"], reproduced="So: {one}.")
    for stored, words in (((), "(run 5ynth1 "), (["5ynth1"], "(not measured here: stored run 5ynth1 ")):
        (part,) = answer(question, claims, [run], stored).parts
        assert words in part.evidence[0]


def test_a_run_of_which_nothing_can_be_made_does_not_answer(run: StoredRun) -> None:
    def checks(_: StoredRun) -> Checks:
        raise KeyError("a metric of before")

    broken = replace(claim("one", REPRODUCED, "1 [1–1]"), checks=checks)
    (part,) = answer(asked(claims=["one"], reproduced="So."), {"one": ("throughput", broken)}, [run]).parts
    assert part.sentence.startswith("The cause cannot be told: there is no run of throughput")


def test_evidence_says_if_the_claim_is_another_one_than_before_its_run(
    run: StoredRun, tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("x")
    one = replace(claim("one", REPRODUCED, "1 [1–1]"), file=file)
    before = replace(run, manifest=run.manifest.model_copy(update={"claims": {"a.yaml": "0"}}))
    (part,) = answer(asked(claims=["one"], reproduced="So."), {"one": ("throughput", one)}, [before]).parts
    assert part.evidence[0].endswith(
        "; a.yaml, the file of this claim, was changed after the run began: the numbers are as measured, "
        "but the claim or its limits may be newer than the run"
    )


def test_the_page_opens_with_the_questions(run: StoredRun) -> None:
    from lab.app.request import load_experiment

    claims = {name: ("throughput", claim(name, REPRODUCED, "1 <b>")) for name in ("one", "two")}
    found = answer(asked(), claims, [run])
    page = render_all([RunSection(run, load_experiment("throughput"))], {}, [found])
    opening = page[page.index(">Answer</h2>") : page.index(">Figures</h3>")]
    assert "<h3>Why?</h3>" in opening
    assert '<p class="reproduced">It is so: 1 &lt;b&gt; (x) and 1 &lt;b&gt; (x).</p>' in opening
    assert "Source of the question: s." in opening


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reproduced": "So {three}."}, "{three} is none of its claims"),
        ({"claims": []}, "parts.0.claims: List should have at least 1 item"),
        ({"tell": ""}, "parts.0.tell: String should have at least 1 character"),
    ],
)
def test_a_question_that_lacks_something_is_refused_with_the_place(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    import yaml

    question = {"id": "q", "text": "Why?", "source": "s", "after": ["x"], "parts": [{**PART, **change}]}
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump({"study": "s", "questions": [question], "claims": []}))
    with pytest.raises(ClaimsError) as caught:
        read(file)
    assert said in str(caught.value)
    assert "a.yaml:" in str(caught.value)
