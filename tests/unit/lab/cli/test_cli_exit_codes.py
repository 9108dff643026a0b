"""The exit codes: one table in code, one on a page, and commands that end with each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.cli import main
from lab.errors import EXIT_CODES, ExitCode, LabError, UsageError
from tests.paths import ROOT
from tests.unit.command_line import Lab
from tests.unit.fakes import new_folder

PAGE = ROOT / "docs" / "reference" / "exit-codes.md"


def test_the_page_has_the_table_of_the_code() -> None:
    table = PAGE.read_text().split("## Examples")[0]
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", table, re.MULTILINE)
    assert rows == [(str(int(code)), meaning) for code, meaning in EXIT_CODES.items()]
    assert set(EXIT_CODES) == set(ExitCode)


def test_an_error_has_the_code_of_its_kind() -> None:
    assert (LabError.exit_code, UsageError.exit_code) == (ExitCode.FAILED, ExitCode.USAGE)


def test_done(lab: Lab) -> None:
    assert lab("list", "topologies")[0] == ExitCode.DONE


@pytest.mark.parametrize(
    "words", [("show", "lineer"), ("validate", "gone.dsl"), ("results", "/no/run"), ("report", "/no/run")]
)
def test_failed(lab: Lab, words: tuple[str, ...]) -> None:
    status, _, err = lab(*words)
    assert status == ExitCode.FAILED
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("testbed", "nonsense"),
        ("show",),
        ("show", "linear", "--nonsense"),
        ("emulate", "multihop", "--dry-run", "--rate", "fast"),
        ("emulate", "multihop", "--dry-run", "--repetitions", "0"),
        ("emulate", "multihop", "--clock", "virtual", "--keep"),
        ("up", "linear", "--rate", "5 apples"),
        ("link", "--loss", "1"),
        ("capacity", "--min-rate", "5", "--max-rate", "1"),
        ("down", "a", "--lab", "b"),
        ("view", "a", "--lab", "b"),
        ("events", "a", "--lab", "b", "--json"),
        ("results", "x", "--csv", "--parquet"),
    ],
    ids=" ".join,
)
def test_usage(lab: Lab, words: tuple[str, ...]) -> None:
    status, out, err = lab(*words)
    assert (status, out) == (ExitCode.USAGE, "")
    assert err


def test_cannot_tell(lab: Lab, tmp_path: Path) -> None:
    assert lab("report", "--claims", new_folder(tmp_path).path)[0] == ExitCode.CANNOT_TELL


def test_interrupted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", interrupted)
    assert lab()[0] == ExitCode.INTERRUPTED
