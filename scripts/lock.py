"""Pin every dependency anew, with hashes: requirements.lock and requirements-build.lock.

Run with the oldest Python that the lab supports: what it chooses, newer ones can have too.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import step

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
#: What builds a package that is served as source only.
BUILDERS = ("setuptools==",)
#: No address of an index gets into the files: every machine uses its own.
OPTIONS = (
    *("--quiet", "--no-config", "--generate-hashes", "--strip-extras", "--allow-unsafe", "--all-extras"),
    *("--all-build-deps", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
    "--no-emit-trusted-host",
)


def main() -> None:
    if sys.version_info[:2] != OLDEST:
        step.fail(f"make the lock with Python {'.'.join(map(str, OLDEST))}: make lock PYTHON=python3.11")
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "bin", "python")
        step.quiet("environment", [sys.executable, "-m", "venv", folder], ROOT / "build" / "lock.log")
        step.quiet(
            "pip-tools", [str(python), "-m", "pip", "install", "pip-tools"], ROOT / "build" / "lock.log"
        )
        lock = ROOT / "requirements.lock"
        step.loud(
            "pins", [str(python), "-m", "piptools", "compile", *OPTIONS, "-o", str(lock), "pyproject.toml"]
        )
    (ROOT / "requirements-build.lock").write_text(pins_of(lock.read_text(), BUILDERS))


def pins_of(lock: str, names: tuple[str, ...]) -> str:
    """The blocks of a lock file that begin with one of these names, hashes and all."""
    kept: list[str] = []
    taking = False
    for line in lock.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            taking = line.startswith(names)
        if taking:
            kept.append(line)
    return "".join(kept)


if __name__ == "__main__":
    main()
