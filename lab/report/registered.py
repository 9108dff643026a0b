"""Claims that are registered: written in a file, with their bands and the reasons for these, before data are.

A file has the claims of one study. A claim names a statistic, which is code of its experiment. The manifest
of a run keeps the checksums of its experiment's files, so that a report can say if one was changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from math import inf
from pathlib import Path
from string import Formatter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.errors import ClaimsError
from lab.formats import yaml_loader
from lab.report.claims import Band, Checks, Claim, Need, undecided
from lab.runs.run_folder import StoredRun
from lab.util import documents
from lab.util.documents import Bounds

BOUNDS = Bounds("file of claims")
Words = Annotated[str, Field(min_length=1)]
#: Makes the checks of a claim from a run, its band, and the arguments that its file has.
Statistic = Callable[..., Checks]


class ClaimBand(BaseModel):
    """The band of a claim; a limit that is not there is none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    low: float = -inf
    high: float = inf


class RegisteredClaim(BaseModel):
    """A claim as in its file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Words
    #: The experiment that would measure it.
    experiment: Words
    #: The sentence, and where the study says so.
    text: Words
    source: Words
    #: The date (ISO 8601) since when it stands as it does.
    registered: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    #: The cells that it is about, and the statistic of them, by its name in the experiment; "" for none.
    cells: Words
    statistic: str = ""
    arguments: dict[str, Any] = {}
    band: ClaimBand = ClaimBand()
    #: The reason for the band.
    why: Words
    need: Need = "all"
    every_mode: bool = False
    #: The reason why nothing measures it here.
    not_measured: str = ""
    #: What here differs from the study so that an answer would not be about its claim.
    differs: str = ""


class QuestionPart(BaseModel):
    """One sentence of the answer to a question, for each outcome of the claims that decide it.

    A sentence has their numbers: ``{id}`` those of one claim, ``{found}`` those of all that decide.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    #: The subject of the sentence that says that it cannot be told.
    subject: Words
    claims: Annotated[list[Words], Field(min_length=1)]
    need: Need = "all"
    reproduced: Words
    refuted: Annotated[Words, Field(alias="not reproduced")]
    #: Half a sentence on what would tell.
    tell: Words

    @model_validator(mode="after")
    def _known_numbers(self) -> QuestionPart:
        """Refuse a sentence with the number of something else than its claims."""
        for text in (self.reproduced, self.refuted):
            if others := {name for _, name, _, _ in Formatter().parse(text) if name} - {
                *self.claims,
                "found",
            }:
                raise ValueError(f"{{{min(others)}}} is none of its claims")
        return self


class Question(BaseModel):
    """A question that claims answer, part by part."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Words
    text: Words
    source: Words
    #: The experiments whose runs end with its answer.
    after: Annotated[list[Words], Field(min_length=1)]
    parts: Annotated[list[QuestionPart], Field(min_length=1)]


class ClaimsFile(BaseModel):
    """The claims of one study, and the questions that they answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    study: Words
    #: Packs of stored runs, relative to the file: they answer where there is no other run.
    stored: list[Words] = []
    questions: list[Question] = []
    claims: list[RegisteredClaim]


@cache
def read(file: Path) -> ClaimsFile:
    """Return the claims of a file.

    Raises:
        ClaimsError: it is no such file; says where.
    """
    refuse = ClaimsError
    text = documents.decoded(documents.content(file, refuse, BOUNDS), str(file), refuse)
    data, place = yaml_loader.located(text, str(file))
    try:
        return ClaimsFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ClaimsError(f"{file}{place(first['loc'])}: {where}: {first['msg']}") from None


def registered(
    claims: Sequence[Path], experiment: str, statistics: Mapping[str, Statistic], command: str = ""
) -> tuple[Claim, ...]:
    """Return the claims of an experiment that files have, in their order.

    Args:
        claims: the files.
        experiment: the experiment's name.
        statistics: its statistics by name.
        command: the command that makes a run of it, where that is not ``run``.

    Raises:
        ClaimsError: a file is none, or a claim names a statistic that the experiment does not have.
    """
    entries = ((file, entry) for file in claims for entry in read(file).claims)
    own = ((file, entry) for file, entry in entries if entry.experiment == experiment)
    return tuple(_claim(file, entry, statistics, command) for file, entry in own)


def _claim(file: Path, entry: RegisteredClaim, statistics: Mapping[str, Statistic], command: str) -> Claim:
    where = f"{file}: claim {entry.id}"
    if bool(entry.statistic) == bool(entry.not_measured):
        raise ClaimsError(f"{where} needs a statistic, or the reason why nothing measures it")
    if entry.statistic and entry.statistic not in statistics:
        known = ", ".join(sorted(statistics)) or "none"
        words = f"no statistic {entry.statistic!r}; it has {known}"
        raise ClaimsError(f"{where}: {entry.experiment} has {words}")
    return Claim(
        entry.text,
        entry.source,
        entry.cells,
        partial(_checks, entry, statistics.get(entry.statistic)),
        command,
        entry.need,
        entry.every_mode,
        file,
        entry.differs,
        entry.id,
    )


def _checks(entry: RegisteredClaim, statistic: Statistic | None, run: StoredRun) -> Checks:
    if statistic is None:
        return [undecided(f"not measured here: {entry.not_measured}")]
    return statistic(run, Band(entry.band.low, entry.band.high), **entry.arguments)
