"""The version of this program."""

from __future__ import annotations

import subprocess
from importlib.metadata import version as installed
from pathlib import Path

from lab.util.version import version


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert version(tmp_path) == installed("overlay-lab")
    (tmp_path / ".git").mkdir()
    assert version(tmp_path) == installed("overlay-lab"), "an empty folder is no repository"


def test_the_commit_is_named_and_changes_are_marked(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        argv = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "-m", "one")
    git("tag", "v9")
    commit = git("rev-parse", "HEAD")[:9]
    assert version(tmp_path) == f"{installed('overlay-lab')}, commit {commit}"
    (tmp_path / "file").write_text("two")
    assert version(tmp_path).endswith(f"commit {commit}+")


def test_what_was_built_has_the_commit_that_was_stored_in_it(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "commit.txt").write_text("0123456+\n")
    assert version(tmp_path).endswith(", commit 0123456+")
