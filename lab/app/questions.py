"""Questions that a run helps to answer: from the run, from others beside it, and from stored ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from lab import plugins
from lab.app.request import all_claims, load_experiment
from lab.errors import RunError
from lab.report.questions import ById, QuestionAnswer, answer
from lab.report.registered import Question, read
from lab.runs import pack, run_folder
from lab.runs.run_folder import StoredRun


def answered(runs: Sequence[StoredRun]) -> list[QuestionAnswer]:
    """Answer the questions with which runs of these experiments end.

    A claim is answered by one of these runs, else by the newest run of its experiment beside them, else by
    one that is stored with the claims.
    """
    names = [run.manifest.experiment for run in runs]
    known = plugins.names("experiments")
    files = dict.fromkeys(
        file for name in names if name in known for file in load_experiment(name).claims_files
    )
    asked = [(file, one) for file in files for one in read(file).questions if set(names) & set(one.after)]
    if not asked:
        return []
    claims = {claim.id: (name, claim) for name, own in all_claims().items() for claim in own if claim.id}
    needed = _experiments([question for _, question in asked], claims)
    packs = [file.parent / name for file in {file for file, _ in asked} for name in read(file).stored]
    stored = _of_packs(packs)
    pool = [*runs, *_beside(runs, needed), *stored]
    ids = {run.manifest.run for run in stored}
    return [answer(question, claims, pool, ids) for _, question in asked]


def _experiments(questions: Iterable[Question], claims: ById) -> list[str]:
    ids = (name for question in questions for part in question.parts for name in part.claims)
    return list(dict.fromkeys(claims[name][0] for name in ids))


def _beside(runs: Sequence[StoredRun], experiments: Sequence[str]) -> list[StoredRun]:
    """Return the newest other run of each experiment in the folders of these, if it can be read."""
    found: list[StoredRun] = []
    own = {run.path.resolve() for run in runs}
    for folder in {path.parent for path in own}:
        for name in experiments:
            others = (path for path in folder.glob(f"{name}-*Z-*/") if path.resolve() not in own)
            for path in sorted(others, reverse=True)[:1]:
                with suppress(RunError):
                    found.append(run_folder.read(path))
    return found


def _of_packs(files: Iterable[Path]) -> list[StoredRun]:
    found: list[StoredRun] = []
    for file in files:
        with suppress(RunError), pack.opened(file) as whole:
            found += whole.runs
    return found
