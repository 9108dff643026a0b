"""The options that verbs have in common which run an experiment."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.app.request import RunRequest
from lab.cli import emulate
from lab.cli.experiment_options import ExperimentOptions
from lab.cli.main import app
from tests.unit.command_line import Lab
from tests.unit.fakes import new_folder


@pytest.mark.parametrize("verb", ["emulate", "testbed rehearse", "testbed run"])
def test_a_run_of_another_experiment_is_to_be_resumed_by_the_verb_that_was_used(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    inventory = tmp_path / "inventory.yaml"
    lab("testbed", "inventory", "linear:sites=AMS+PRG", "-o", inventory)
    inventory.write_text(re.sub(r"address:.*", "address: 192.0.2.1", inventory.read_text()))
    folder = new_folder(tmp_path / "results", experiment="datagram").path
    more = ["--inventory", inventory] if verb == "testbed run" else []
    status, _, err = lab(*verb.split(), "multihop", "--resume", folder, *more)
    assert (status, err) == (1, f"lab: {folder} is a run of 'datagram'; resume it with '{verb} datagram'\n")


@pytest.mark.parametrize(("words", "asked"), [(["--bringups", "5"], 5), ([], None)])
def test_bring_ups_are_an_option_by_any_clock(
    words: list[str], asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[RunRequest] = []
    monkeypatch.setattr(emulate, "show_plan", seen.append)

    done = CliRunner().invoke(app, ["emulate", "multihop", "--dry-run", *words])

    assert done.exit_code == 0, done.output
    assert seen[0].bring_ups == asked


@pytest.mark.parametrize("verb", ["emulate", "testbed rehearse", "testbed run"])
def test_every_option_of_a_run_is_an_option_of_the_verb(verb: str) -> None:
    shown = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200"}).output

    for field in fields(ExperimentOptions):
        assert f"--{field.name.replace('_', '-')}" in shown


def test_options_of_a_run_reach_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[RunRequest] = []
    monkeypatch.setattr(emulate, "show_plan", seen.append)
    monkeypatch.setattr(emulate, "as_stored", lambda request: request)  # there is no run to resume
    monkeypatch.setenv("LAB_WEAVER", "before")
    words = (
        "--overlay weave --overlay tinc --profile paper --rate auto --repetitions 3 --duration 2 --cells tcp"
    )
    words += " --seed 7 --on-mode-change relaunch --resume old --results there --weaver mine"
    words += " --site OSL=59.91,10.75"

    CliRunner().invoke(app, ["emulate", "multihop", "--dry-run", "-t", "ring", *words.split()])

    assert seen == [
        RunRequest(
            "multihop",
            "ring",
            {"OSL": (59.91, 10.75)},
            overlays=("weave", "tinc"),
            profile="paper",
            rate="auto",
            repetitions=3,
            duration=2.0,
            only=("tcp",),
            seed=7,
            on_fallback="relaunch",
            resume=Path("old"),
            results=Path("there"),
        )
    ]
    assert os.environ["LAB_WEAVER"] == "mine"
