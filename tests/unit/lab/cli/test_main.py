"""The verbs are found by their modules, and mistakes get one line."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import main
from lab.emulation import ownership
from lab.util import paths
from tests.paths import ROOT
from tests.unit.command_line import Lab


@pytest.mark.parametrize("verb", ["export-dsl", "export", "validate", "show", "graph"])
def test_mistyped_names_get_one_line(lab: Lab, verb: str) -> None:
    assert lab(verb, "lineer") == (1, "", "lab: unknown topology 'lineer'; did you mean 'linear'?\n")
    assert lab(verb, "gone.dsl") == (1, "", "lab: gone.dsl cannot be read: No such file or directory\n")


def test_a_verb_that_is_not_there_has_the_nearest_one(lab: Lab) -> None:
    status, out, err = lab("shwo", "linear")

    assert (status, out) == (2, "")
    assert err == "lab: unknown verb 'shwo'; did you mean 'show'?\n"


VERBS = [[verb] for verb in main.verbs() if verb not in ("images", "testbed")]
VERBS += [["images", verb] for verb in ("build", "list", "remove")]
VERBS += [["testbed", verb] for verb in ("check", "inventory", "prepare", "rehearse", "run", "restore")]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_shows_an_example(lab: Lab, verb: list[str]) -> None:
    status, out, _ = lab(*verb, "--help")

    assert status == 0
    typed = " ".join(verb).replace("emulate", "run")  # two names of one verb
    assert re.search(f"Example: (sudo )?lab {typed}", " ".join(out.replace("│", "").split()))


def words(text: str) -> str:
    return " ".join(text.replace("│", "").split())


def test_the_list_of_verbs_is_in_panels_and_says_once_that_some_need_root(lab: Lab) -> None:
    status, out, _ = lab("--help")

    assert status == 0
    assert re.findall(r"^╭─ ([A-Z][\w ]+?) ─", out, re.MULTILINE)[1:] == list(main.PANELS)
    assert len(re.findall("root", out)) == 1
    for verb in main.verbs():
        assert re.search(rf"^│ {verb} ", out, re.MULTILINE), verb


def test_every_verb_is_in_one_panel() -> None:
    listed = [verb for names in main.PANELS.values() for verb in names]
    assert sorted(listed) == sorted(main.verbs())


@pytest.mark.parametrize("verb", [[], *VERBS], ids=" ".join)
def test_no_option_has_a_no_that_means_nothing_and_no_argument_looks_like_a_choice(
    lab: Lab, verb: list[str]
) -> None:
    out = lab(*verb, "--help")[1]
    assert "--no-" not in out
    assert "{" not in out.split("╭")[0]


@pytest.mark.parametrize(
    "verb",
    [
        *("up", "down", "ps", "link", "exec", "shell", "prompt", "logs", "ping-all", "capture", "calibrate"),
        "run",
    ],
)
def test_every_verb_that_works_on_a_lab_that_is_up_takes_its_name_as_an_option(lab: Lab, verb: str) -> None:
    assert re.search(r"^│ --lab\b", lab(verb, "--help")[1], re.MULTILINE)


def test_every_verb_has_a_page() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "reference" / "cli").glob("*.md")}
    wanted = {main.SAME.get(verb, verb) for verb in main.verbs()}
    wanted |= {"testbed-inventory", "testbed-rehearse"}
    assert wanted <= pages
    assert pages - wanted <= {"README", "options"}


def test_run_and_emulate_are_one_verb(lab: Lab) -> None:
    asked = ("multihop", "--dry-run", "--overlay", "underlay", "--cells", "hops=5")
    assert lab("run", *asked) == lab("emulate", *asked)
    assert "lab run multihop" in words(lab("run", "--help")[1])


def test_the_version_names_the_commit(lab: Lab) -> None:
    assert re.fullmatch(r"lab \S+(, commit [0-9a-f]{9}\+?)?\n", lab("--version")[1])


def test_a_shell_can_complete_verbs_and_options(tmp_path: Path) -> None:
    def complete(line: str) -> list[str]:
        variables = {"_LAB_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        code = "from lab.cli.main import app; app(prog_name='lab')"
        argv = [sys.executable, "-c", code]
        done = subprocess.run(
            argv, env={**os.environ, **variables}, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert complete("lab val") == ["validate"]
    assert complete("lab up --dry") == ["--dry-run"]
    assert complete("lab rehearse ring --dry") == []
    assert complete("lab nonsense x") == []


def test_what_verbs_share_is_no_verb(lab: Lab) -> None:
    assert {"emulate", "run", "list", "exec", "testbed"} <= set(main.verbs())
    for name in (
        "former",
        "main",
        "console",
        "options",
        "experiment-options",
        "lab-lock",
        "process",
        "topologies",
    ):
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
    words = f"lab {state.lab_id} was not removed completely: solve this problem, then run 'lab cleanup'"
    said = words if ours else "'lab doctor' tells more"
    assert lab()[2] == f"lab: No space left on device (/var/lib/lab/x); {said}\n"


def test_who_may_not_write_there_is_not_told_of_labs(
    lab: Lab, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "results/x/samples.csv")

    monkeypatch.setattr(main, "app", refused)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    status, _, said = lab()
    assert status == 1
    assert said == (
        "lab: Permission denied (results/x/samples.csv); "
        "name another place, or repeat the command with sudo\n"
    )
