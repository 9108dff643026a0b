"""The one part of a build that pyproject.toml cannot describe: what is built has the commit that it is of."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
VERSION = runpy.run_path(str(ROOT / "lab" / "util" / "version.py"))


def store_commit(tree: str) -> None:
    """Write the commit of this folder beside the modules of what is built there."""
    if commit := VERSION["commit"](ROOT):
        (Path(tree) / VERSION["STORED"]).write_text(commit)


class BuildWithCommit(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            store_commit(self.build_lib)


class SourcesWithCommit(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        store_commit(base_dir)


setup(cmdclass={"build_py": BuildWithCommit, "sdist": SourcesWithCommit})
