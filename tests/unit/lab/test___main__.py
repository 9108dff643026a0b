"""What runs as root does not come from where somebody happens to stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.__main__ import others_can_write, warn_of_current_directory
from lab.emulation.links import icmp, netns
from lab.emulation.wire import wire
from tests.paths import ROOT

FOREIGN = "import sys; sys.exit('a foreign module ran')"


def test_a_foreign_module_in_the_current_directory_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(FOREIGN)
    argv = [sys.executable, "-m", "lab", "list", "topologies"]
    done = subprocess.run(argv, cwd=tmp_path, env=netns.OWN_MODULES, capture_output=True, text=True)
    assert (done.returncode, "linear" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    "argv", [icmp.command("x", "127.0.0.1", 0, 1.0), wire.start_command("x", Path("/nowhere"))]
)
def test_a_helper_that_runs_as_root_does_not_look_in_the_current_directory(
    argv: list[str], tmp_path: Path
) -> None:
    for name in ("json", "socket", "struct"):
        (tmp_path / f"{name}.py").write_text(FOREIGN)
    helper = argv[argv.index(sys.executable) :]
    done = subprocess.run(helper, cwd=tmp_path, env=netns.OWN_MODULES, capture_output=True, text=True)
    assert "a foreign module ran" not in done.stderr


def test_a_folder_that_others_can_write_is_told_from_ones_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert not others_can_write(tmp_path)
    tmp_path.chmod(0o1777)
    assert others_can_write(tmp_path)
    assert not others_can_write(Path("/"))


def test_a_group_of_ones_own_is_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o775)
    assert not others_can_write(tmp_path)
    monkeypatch.setattr(os, "getegid", lambda: tmp_path.stat().st_gid + 1)
    assert others_can_write(tmp_path) == (tmp_path.stat().st_gid != 0)


def test_root_is_warned_and_a_user_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    warn_of_current_directory()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    warn_of_current_directory()
    assert f"others can write to {tmp_path}" in capsys.readouterr().err


def helpers_without_safe_path() -> list[str]:
    """Return the lines that start a module of the lab with this interpreter, and let it look around."""
    return [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "lab" / "emulation").rglob("*.py")
        for line in path.read_text().splitlines()
        if "sys.executable" in line and '"-m"' in line and '"-P"' not in line and "cwd=root" not in line
    ]


def test_every_helper_of_the_emulation_is_started_with_a_safe_path() -> None:
    assert helpers_without_safe_path() == []
