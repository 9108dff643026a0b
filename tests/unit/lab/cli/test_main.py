"""The verbs are found by their modules, and mistakes get one line."""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path

import pytest

from lab.cli import main
from lab.emulation import ownership
from lab.util import paths
from tests.unit.command_line import Lab


@pytest.mark.parametrize("verb", ["export-dsl", "check", "show"])
def test_mistyped_names_get_one_line(lab: Lab, verb: str) -> None:
    assert lab(verb, "lineer") == (1, "", "lab: unknown topology 'lineer'; did you mean 'linear'?\n")
    assert lab(verb, "gone.dsl") == (1, "", "lab: gone.dsl cannot be read: No such file or directory\n")


def test_a_verb_that_is_not_there_has_the_nearest_one(lab: Lab) -> None:
    status, out, err = lab("shwo", "linear")

    assert (status, out) == (1, "")
    assert err == "lab: unknown verb 'shwo'; did you mean 'show'?\n"


VERBS = [[verb] for verb in main.verbs() if verb not in ("images", "testbed")]
VERBS += [["images", verb] for verb in ("build", "list", "remove")]
VERBS += [["testbed", verb] for verb in ("check", "prepare", "run", "restore")]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_shows_an_example(lab: Lab, verb: list[str]) -> None:
    status, out, _ = lab(*verb, "--help")

    assert status == 0
    assert re.search(
        f"Example: (sudo )?python -m lab {' '.join(verb)}", " ".join(out.replace("│", "").split())
    )


def test_what_verbs_share_is_no_verb(lab: Lab) -> None:
    assert {"emulate", "list", "exec", "testbed"} <= set(main.verbs())
    for name in ("main", "console", "options", "experiment-options", "lab-lock", "process", "topologies"):
        assert name not in main.verbs()
        assert lab(name)[2].startswith(f"lab: unknown verb '{name}'")


def test_a_verb_needs_root_and_says_what_to_type(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    command = f"sudo {sys.executable} -m lab"

    assert lab("emulate", "multihop")[2] == f"lab: emulate needs root: {command} emulate multihop\n"
    assert lab("down")[2] == f"lab: down needs root: {command} down\n"
    assert lab("images", "list")[2] == f"lab: images list needs root: {command} images list\n"
    assert lab("ps")[2] == f"lab: ps needs root: {command} ps …\n"


@pytest.fixture
def own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    return tmp_path


@pytest.mark.parametrize("ours", [True, False])
def test_an_error_of_the_disk_never_says_that_nothing_is_left(
    lab: Lab, own_run: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/var/lib/lab/x")

    monkeypatch.setattr(main, "app", full)
    state = ownership.LabState.create()
    if not ours:
        state.keep()
    words = f"lab {state.lab_id} was not taken away whole: 'lab cleanup' does so once this is mended"
    said = words if ours else "'lab doctor' tells more"
    assert lab()[2] == f"lab: No space left on device (/var/lib/lab/x); {said}\n"
