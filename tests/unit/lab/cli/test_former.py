"""Former names of verbs and options work, and one line says the new name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

from lab.cli import former, main
from lab.cli.former import renamed
from tests.unit.command_line import Lab

ASK = ("multihop", "--dry-run")
#: A command line with a former verb, and the same with the new one.
VERBS = [
    (("check", "linear"), ("validate", "linear")),
    (("cli", "--help"), ("prompt", "--help")),
    (("inventory", "linear"), ("testbed", "inventory", "linear")),
    (("rehearse", "--help"), ("testbed", "rehearse", "--help")),
    (("scorecard", "/no/run"), ("report", "--claims", "/no/run")),
]
#: The same with options.
OPTIONS = [
    (("emulate", *ASK, "-o", "tinc"), ("emulate", *ASK, "--overlay", "tinc")),
    (("emulate", *ASK, "-otinc"), ("emulate", *ASK, "--overlay=tinc")),
    (("emulate", *ASK, "--only=hops=5"), ("emulate", *ASK, "--cells=hops=5")),
    (("emulate", *ASK, "--on-fallback", "mark"), ("emulate", *ASK, "--on-mode-change", "mark")),
    (("emulate", *ASK, "--accept-links"), ("emulate", *ASK, "--ignore-calibration")),
    (("emulate", *ASK, "--cli"), ("emulate", *ASK, "--prompt")),
    (("capacity", "--least", "5", "--help"), ("capacity", "--min-rate", "5", "--help")),
    (("capacity", "--most", "5", "--help"), ("capacity", "--max-rate", "5", "--help")),
    (("capture", "AMS", "--longest", "99", "--help"), ("capture", "AMS", "--snaplen", "99", "--help")),
    (("up", "linear", "--plan", "--help"), ("up", "linear", "--dry-run", "--help")),
    (("testbed", "restore", "--steal", "--help"), ("testbed", "restore", "--take-over", "--help")),
    (("testbed", "rehearse", "x", "--hold", "--help"), ("testbed", "rehearse", "x", "--keep", "--help")),
]


@pytest.mark.parametrize(("before", "now"), [*VERBS, *OPTIONS], ids=lambda words: " ".join(words[:3]))
def test_a_former_name_does_the_same_and_says_its_new_name(
    lab: Lab, before: tuple[str, ...], now: tuple[str, ...]
) -> None:
    status, out, err = lab(*before)
    expected_status, expected_out, expected_err = lab(*now)
    first, _, rest = err.partition("\n")
    assert first.startswith("lab: '")
    assert "' is now called '" in first
    assert (status, out, rest) == (expected_status, expected_out, expected_err)


def test_every_former_name_is_tried() -> None:
    assert {words[0] for words, _ in VERBS} == set(former.VERBS)
    tried = {word.partition("=")[0] for words, _ in OPTIONS for word in words}
    assert set(former.OPTIONS) <= tried


def test_every_new_name_is_there() -> None:
    for new in former.VERBS.values():
        assert new.split()[0] in main.verbs()
    shown = " ".join(main.verbs())
    assert not [old for old in former.VERBS if f" {old} " in f" {shown} "]


def test_an_option_of_this_name_keeps_its_meaning(lab: Lab, tmp_path: Path) -> None:
    assert lab("export-dsl", "linear", "-o", tmp_path / "x.dsl")[2].count("is now called") == 0
    assert list(renamed(["x", "-o", "y"], {"-o", "--output", "--overlay"})) == ["x", "-o", "y"]


def test_what_is_for_another_program_is_left_alone(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["AMS", "--", "ls", "-o", "--plan"]
    assert list(renamed(words, {"--overlay", "--dry-run"})) == words
    assert capsys.readouterr().err == ""


def test_former_options_are_not_in_the_help(lab: Lab) -> None:
    assert get_command(main.app) is not None
    shown = lab("emulate", "--help")[1] + lab("capacity", "--help")[1] + lab("up", "--help")[1]
    assert not [old for old in former.OPTIONS if f"{old} " in shown.replace("│", " ")]
