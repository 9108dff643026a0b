"""`lab worker` and the options of `lab emulate` for several machines: what they refuse, and without Dask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.cli.main import app
from lab.errors import LabError
from tests.paths import ROOT


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, LabError), done.output
    return str(done.exception)


def test_certificates_are_made_without_root(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["worker", "--make-certificates", str(tmp_path / "c")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "c" / "lab.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["worker"], "which scheduler"),
        (["worker", "tcp://192.0.2.1:8786"], "plain scheduler on a network"),
        (["worker", "192.0.2.1"], "no address of a scheduler"),
        (["emulate", "multihop", "--on", "tcp://192.0.2.1:8786"], "plain scheduler on a network"),
        (["emulate", "multihop", "--on", "moon"], "names no machines"),
        (
            ["emulate", "multihop", "--on", "local:2", "--rate", "auto"],
            "--rate auto is for",
        ),
        (["emulate", "multihop", "--on", "local:2", "--keep"], "--keep is for a run on one machine"),
        (["emulate", "multihop", "--insecure"], "give --on with them"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(words: list[str], why: str) -> None:
    assert why in refused(*words)


def test_a_run_on_this_machine_imports_no_dask() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from lab.cli.main import app; import lab.api\n"
        "done = CliRunner().invoke(app, ['emulate', 'multihop', '--dry-run', '--overlay', 'underlay'])\n"
        "assert done.exit_code == 0, done.output\n"
        "import lab.app.run, lab.app.virtual, lab.app.blocks\n"
        "there = {name.partition('.')[0] for name in sys.modules}\n"
        "found = sorted(there & {'dask', 'distributed', 'tornado'})\n"
        "assert not found, found"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-1500:]


def test_without_dask_a_spread_run_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab import spread

    monkeypatch.setattr(spread, "find_spec", lambda name: None)
    assert "pip install 'overlay-lab[spread]'" in refused("emulate", "multihop", "--on", "local:2")
