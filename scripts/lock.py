"""Pin every dependency anew, with hashes: requirements.lock, and two files for what builds and for tests.

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
#: What only the tests and the documentation need, beside what every set-up installs.
EXTRAS = ("--extra=tables", "--extra=docs", "--extra=spread")
#: No address of an index gets into the files: every machine uses its own.
OPTIONS = (
    *("--quiet", "--no-config", "--generate-hashes", "--strip-extras", "--allow-unsafe"),
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
        lock, tests = ROOT / "requirements.lock", Path(folder, "tests.lock")
        compiled = [str(python), "-m", "piptools", "compile", *OPTIONS, "pyproject.toml"]
        step.loud("pins", [*compiled, "--extra=containernet", "--extra=dev", "-o", str(lock)])
        step.loud(
            "pins of the tests",
            [*compiled, *EXTRAS, "-c", str(lock), "-o", str(tests)],
        )
        (ROOT / "requirements-tests.lock").write_text(pins_beside(lock.read_text(), tests.read_text()))
    (ROOT / "requirements-build.lock").write_text(pins_of(lock.read_text(), BUILDERS))


def pins_beside(lock: str, other: str) -> str:
    """The blocks of another lock file for packages that this one does not have."""
    names = [f"{line.partition('==')[0]}==" for line in other.splitlines() if line[:1].isalnum()]
    return pins_of(other, tuple(name for name in names if f"\n{name}" not in f"\n{lock}"))


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
