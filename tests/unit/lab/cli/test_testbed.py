"""The verbs for real machines, as far as no machine is needed: one sentence for every mistake."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.cli.main import run
from tests.unit.fakes import new_folder

Lab = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    """Runs a command line and gives its status, output and errors."""

    def ran(*argv: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *map(str, argv)])
        try:
            run()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return ran


def test_an_inventory_to_fill_in_is_printed(lab: Lab) -> None:
    status, out, _ = lab("inventory", "linear:sites=AMS+PRG")
    assert status == 0
    assert "topology: linear:sites=AMS+PRG" in out
    assert "eth1: auto   # AMS-PRG: 192.168.1.1/24, to PRG" in out


def test_one_that_is_not_filled_in_is_refused(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    assert lab("inventory", "linear:sites=AMS+PRG", "-o", path)[0] == 0
    status, _, err = lab("testbed", "check", "--inventory", path)
    assert status == 1
    assert err == f"lab: {path}: AMS has no address yet; PRG has no address yet\n"


@pytest.mark.parametrize("words", [["check"], ["prepare"], ["run", "multihop"], ["restore"]])
def test_an_inventory_that_is_not_there_is_one_sentence(lab: Lab, words: list[str]) -> None:
    status, _, err = lab("testbed", *words, "--inventory", "/no/such.yaml")
    assert status == 1
    assert err == (
        "lab: /no/such.yaml cannot be read: No such file or directory; 'lab inventory TOPOLOGY' writes one\n"
    )


def test_a_rehearsal_hands_on_what_emulate_has_for_interruptions_and_fall_backs(tmp_path: Path) -> None:
    from lab.app import run as assemble
    from lab.cli import rehearse

    asked = assemble.RunRequest("multihop", on_fallback="relaunch", overlays=("weave",))
    settled = assemble.parts(asked)
    words = rehearse._words(asked, settled)
    assert words[words.index("--on-fallback") + 1] == "relaunch"
    assert "--resume" not in words
    words = rehearse._words(replace(asked, resume=tmp_path), settled)
    assert words[words.index("--resume") + 1] == str(tmp_path)


VERBS = [["inventory"], ["rehearse"], *(["testbed", verb] for verb in ("check", "prepare", "run", "restore"))]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(lab: Lab, verb: list[str]) -> None:
    said = " ".join(lab(*verb, "--help")[1].split())
    assert "Example:" in said
    assert f"python -m lab {' '.join(verb)}" in said


@pytest.mark.parametrize("verb", ["emulate", "rehearse", "testbed run"])
def test_a_run_of_another_experiment_is_to_be_resumed_by_the_verb_that_was_used(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    inventory = tmp_path / "inventory.yaml"
    lab("inventory", "linear:sites=AMS+PRG", "-o", inventory)
    inventory.write_text(re.sub(r"address:.*", "address: 192.0.2.1", inventory.read_text()))
    folder = new_folder(tmp_path / "results", experiment="datagram").path
    more = ["--inventory", inventory] if verb == "testbed run" else []
    status, _, err = lab(*verb.split(), "multihop", "--resume", folder, *more)
    assert (status, err) == (1, f"lab: {folder} is a run of 'datagram'; resume it with '{verb} datagram'\n")
