"""The lab as a wheel, installed into an empty environment and used from another folder.

The environment has what the wheel's metadata asks for and nothing else: the same distributions as in this
one, linked from it. No index is asked, and no package of the tests can stand in for one that lacks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import Parser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from lab.util.version import commit
from tests.paths import ROOT

SITE = Path(sysconfig.get_path("purelib"))
NAME = "installed-test"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
#: A folder with another `json`, and no `lab`: modules of the current folder must not come first.
DECOY = "raise SystemExit('the current folder comes before the library')\n"


def run(argv: Sequence[str | Path], folder: Path, **more: str) -> str:
    """What a command prints, in an environment without this one's variables of Python."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
    words = [str(word) for word in argv]
    done = subprocess.run(words, cwd=folder, env={**env, **more}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The archives: the source archive of the tracked files, and the wheel that is built of it alone."""
    folder = tmp_path_factory.mktemp("built")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if name.split("/")[0] not in ("docs", "tests") and (ROOT / name).exists():
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "tree" / name)
    stored = commit(ROOT)
    (folder / "tree" / "lab" / "commit.txt").write_text(stored)
    script = f"import setuptools.build_meta as m; print(m.build_sdist({str(folder)!r}))"
    source = folder / run([sys.executable, "-c", script], folder / "tree").splitlines()[-1]
    with tarfile.open(source) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (tree,) = (folder / "unpacked").iterdir()
    script = script.replace("build_sdist", "build_wheel")
    wheel = folder / run([sys.executable, "-c", script], tree).splitlines()[-1]
    return {"source": source, "wheel": wheel}


@pytest.fixture(scope="module")
def programs(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel and what it needs."""
    place = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", place], place)
    (site,) = place.glob("lib/python*/site-packages")
    with zipfile.ZipFile(built["wheel"]) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        asked = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist")
    for entry in needed(asked):
        (site / entry).symlink_to(SITE / entry)
    python = place / "bin" / "python"
    run([*PIP, "--python", python, "install", "--no-deps", "--no-index", built["wheel"]], place)
    return place / "bin"


def needed(requirements: Sequence[str]) -> set[str]:
    """The entries of this environment that requirements installed, and theirs in turn, without extras."""
    entries, known, left = set[str](), set[str](), list(requirements)
    while left:
        requirement = left.pop()
        name = re.split(r"[^\w.-]", requirement)[0]
        if "extra ==" in requirement or name in known:
            continue
        known.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:  # a marker says that this machine needs none
            continue
        left += found.requires or ()
        entries |= {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
    return {entry for entry in entries if (SITE / entry).exists()}


@pytest.fixture
def away(tmp_path: Path) -> Path:
    (tmp_path / "json.py").write_text(DECOY)
    return tmp_path


def test_the_source_archive_and_the_wheel_have_all_that_is_read_by_its_path(built: dict[str, Path]) -> None:
    assert built["wheel"].suffix == ".whl"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = ("lab/", "overlays/", "experiments/", "topologies/")
    wanted = {
        name for name in tracked.stdout.splitlines() if name.startswith(ours) and (ROOT / name).exists()
    }
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = set(archive.namelist())
    assert wanted - names == set()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {n[:-1] for n in ours}
    with tarfile.open(built["source"]) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted - files == set()
    assert {"CHANGELOG.md", "LICENSE", "pyproject.toml", "setup.py"} <= files


def test_it_is_used_from_another_folder(programs: Path, away: Path) -> None:
    lab = programs / "lab"
    assert commit(ROOT) in run([lab, "--version"], away)
    assert "multihop" in run([lab, "list", "experiments"], away)
    assert "weave" in run([lab, "list", "overlays"], away)
    assert "adjacency" in run([lab, "export-dsl", "ring"], away)
    run([lab, "graph", "grid", "-o", "grid.svg"], away)
    run([lab, "validate", "grid"], away)
    assert "cells" in run([lab, "emulate", "multihop", "--dry-run"], away)
    assert (away / "grid.svg").stat().st_size > 1000
    # both ways to start it are alike, and one of them is not led astray by the folder
    assert run([programs / "python", "-m", "lab", "--version"], programs) == run([lab, "--version"], away)


def test_a_run_is_read_and_drawn_and_the_claims_are_in_the_package(programs: Path, away: Path) -> None:
    with tarfile.open(ROOT / "docs" / "data" / "overlays-encryption.tar.xz") as archive:
        archive.extractall(away, filter="data")
    (folder,) = (path.parent for path in away.rglob("manifest.json"))
    said = run([programs / "lab", "report", folder, "-o", "page.html"], away)
    assert "page.html" in said
    page = (away / "page.html").read_text()
    assert "<svg" in page or "<img" in page
    assert "reproduced" in page


def test_what_containernet_needs_is_asked_for_by_name(programs: Path, away: Path) -> None:
    argv = [programs / "python", "-P", "-c", "import lab.containernet"]
    done = subprocess.run(argv, cwd=away, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'overlay-lab[containernet]'" in done.stderr.splitlines()[-1]


@pytest.fixture
def lab_up(programs: Path, away: Path, docker_daemon: None) -> Iterator[Path]:
    run([programs / "lab", "up", "point_to_point", "--name", NAME], away)
    yield programs / "lab"
    run([programs / "lab", "down", NAME], away)


def test_a_lab_is_brought_up_and_goes(lab_up: Path, away: Path) -> None:
    # its images are those of the checkout: the files that they are made of are the same
    assert run([lab_up, "images", "list"], away).count("up to date") == 2
    names = re.findall(r"[A-Z]{3}", run([lab_up, "show", "point_to_point"], away))
    said = run([lab_up, "exec", "--lab", NAME, names[0], "--", "hostname"], away)
    assert said.strip() == names[0]
