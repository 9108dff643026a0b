"""What root writes for the person who called sudo is that person's, and nothing else becomes so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.hosts.command import Trace
from lab.util import files, invoker
from tests.paths import ROOT
from tests.unit.synthetic import recorded_run

USER, GROUP = 65533, 65532
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that all users can enter: pytest's own are for root alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user who has called sudo."""
    monkeypatch.setenv("SUDO_UID", str(USER))
    monkeypatch.setenv("SUDO_GID", str(GROUP))
    folder = open_folder / "home"
    folder.mkdir()
    os.chown(folder, USER, GROUP)
    return folder


def as_user(home: Path, argv: list[str]) -> subprocess.CompletedProcess[str]:
    found = [path for path in sys.path if path and sys.base_prefix not in path]
    modules = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "thirdparty"), *found])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": modules, "HOME": str(home)}
    whose = {"user": USER, "group": GROUP, "extra_groups": []}
    return subprocess.run(
        argv, cwd=home, env=environment, text=True, capture_output=True, check=False, **whose
    )


def python_of_all(home: Path) -> str:
    """A Python of this version that every user can run; root's own may lie in root's home."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for found in (sys.executable, f"/usr/bin/python{version}"):
        with suppress(OSError):
            if as_user(home, [found, "-c", "import lab.cli.main"]).returncode == 0:
                return found
    pytest.skip(f"no other user of this machine can run a Python {version} with the lab's packages")


def owners(folder: Path) -> set[tuple[int, int]]:
    found = [path.lstat() for path in (folder, *folder.rglob("*"))]
    return {(one.st_uid, one.st_gid) for one in found}


def test_a_run_and_what_is_drawn_of_it_belong_to_who_called_sudo(home: Path) -> None:
    run = recorded_run(home / "results")
    Trace(home / "trace.sh")
    argv = [sys.executable, "-P", "-m", "lab", "report", str(run)]
    subprocess.run(argv, cwd=home, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (run / "report.html").exists()
    assert list((run / "figures").iterdir())
    assert owners(home) == {(USER, GROUP)}


@pytest.mark.parametrize("words", [("report",), ("results", "--csv"), ("report", "--claims")])
def test_a_run_of_root_is_read_by_another_who_gets_the_files_where_he_is(
    home: Path, open_folder: Path, words: tuple[str, ...]
) -> None:
    run = recorded_run(open_folder / "of-root")
    before = sorted(run.rglob("*"))
    done = as_user(home, [python_of_all(home), "-P", "-m", "lab", words[0], str(run), *words[1:]])
    assert done.returncode == 0, done.stderr
    assert sorted(run.rglob("*")) == before
    made = {path.name for path in home.iterdir() if path.name[0] != "."}
    wanted = {"report": f"{run.name}-report.html", "results": f"{run.name}-samples.csv"}
    assert made == (set() if "--claims" in words else {wanted[words[0]]})


def test_a_folder_of_root_gives_nothing_away(home: Path, open_folder: Path) -> None:
    folder = open_folder / "of-root"
    folder.mkdir()
    files.replace(folder / "file", "text")
    files.make_folder(folder / "new")
    invoker.give_back(folder)
    assert owners(folder) == {(0, 0)}


def test_neither_links_nor_files_with_two_names_lead_out_of_the_folder(home: Path, open_folder: Path) -> None:
    secret, other = open_folder / "secret", open_folder / "other"
    secret.write_text("root's")
    other.mkdir()
    (home / "hard").hardlink_to(secret)
    (home / "soft").symlink_to(secret)
    (home / "folder").symlink_to(other)
    (home / "plain").write_text("a run's")
    invoker.give_back(home)
    assert secret.stat().st_uid == 0
    assert other.stat().st_uid == 0
    assert (home / "plain").stat().st_uid == USER


@pytest.mark.parametrize("given", ["", "0", "-5", "someone"])
def test_without_sudo_nobody_is_given_anything(
    home: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("SUDO_UID", given)
    files.replace(home / "file", "text")
    assert (home / "file").stat().st_uid == 0
