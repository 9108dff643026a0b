"""Trials inside the cage: a copy of the project, a fault in it, and the tests that should notice.

One process keeps what is slow to import, and begins a child for each trial.
"""

from __future__ import annotations

import compileall
import json
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any

import pytest

from tests.mutation import cage
from tests.mutation.mutants import Mutant
from tests.mutation.related import files
from tests.paths import ROOT

#: A trial may take this (s), and so many times as long as its tests take without a fault; on a machine that
#: has more to do than it has processors, so much longer.
PATIENCE, TIMES = 10.0, 4.0
#: No trial takes longer (s) on an idle machine.
LONGEST = 60.0
COPIED = ("lab", "overlays", "experiments", "topologies", "tests", "scripts", "pyproject.toml")
CAUGHT, SURVIVED, UNREACHED = "caught", "survived", "reached by no test"
CLOCK = "caught by the clock"
#: What pytest ends with when it has run the tests.
PASSED, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
#: What takes long to import and is none of ours.
SLOW = (
    "asyncssh",
    "hypothesis",
    "jsonschema",
    "networkx",
    "numpy",
    "pydantic",
    "pytest_asyncio",
    "rich",
    "typer",
)


@dataclass
class Baseline:
    """The tests of a module without a fault: their time (s), which reach which line, which fail even so."""

    seconds: float
    #: By line, the tests that reach it; "" is the import of the module.
    reached: dict[int, set[str]]
    failing: frozenset[str]

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that reach a fault, or the files of all, as importing does."""
        first, last = mutant.lines
        names = set().union(*(self.reached.get(line, set()) for line in range(first, last + 1)))
        return files(mutant.file) if "" in names else sorted(names - self.failing)


class Watch:
    """A plug-in of pytest that notes which test reaches which line of one file, and which fails."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.reached: dict[int, set[str]] = defaultdict(set)
        self.failing: set[str] = set()
        self.test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failing.add(report.nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.test = item.nodeid
        yield
        self.test = ""

    def begin(self) -> None:
        """Watch from now on: before pytest imports anything."""
        sys.settrace(self._called)
        threading.settrace(self._called)

    def _called(self, frame: FrameType, _: str, __: Any) -> Any:
        return self._line if frame.f_code.co_filename == self.file else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.reached[frame.f_lineno].add(self.test)
        return self._line


def in_child(work: Callable[[], object], longest: float) -> tuple[bool, str, Any]:
    """Do something in a child: whether it ended in time (s), what it printed, and what it returned."""
    folder = Path(os.environ[cage.INSIDE])
    said, answer = folder / "said", folder / "answer"
    answer.unlink(missing_ok=True)
    if not (child := os.fork()):
        with suppress(BaseException):
            out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            answer.write_bytes(pickle.dumps(work()))
        os._exit(0)
    in_time = _ends(child, monotonic() + longest * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
    _end_all()
    value = pickle.loads(answer.read_bytes()) if answer.exists() else None
    return in_time, said.read_text(errors="replace"), value


def _ends(child: int, deadline: float) -> bool:
    """Tell if a child ends in time; orphans are children too, of the cage's first process."""
    while monotonic() < deadline:
        ended = os.waitpid(-1, os.WNOHANG)[0]
        if ended == child:
            return True
        if not ended:
            sleep(0.01)
    return False


def _end_all() -> None:
    """End every other process of the cage: only this one has to stay."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


class Trials:
    """A copy of the project in the cage, in which one fault stands at a time."""

    def __init__(self, folder: Path) -> None:
        self.copy = folder / "project"
        self.temporary = folder / "temporary"
        self._baselines: dict[str, Baseline] = {}
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, self.copy / name)
        compileall.compile_dir(self.copy, quiet=2)
        os.chdir(self.copy)
        # what the children import is the copy
        sys.path[:] = [str(self.copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
        for name in SLOW:
            __import__(name)

    def baseline(self, file: str) -> Baseline:
        """Return the baseline of a module: its tests are run once."""
        if file not in self._baselines:
            watch, began = Watch(str(self.copy / file)), monotonic()

            def work() -> object:
                watch.begin()
                status = self._pytest(files(file), watch)
                return status in (PASSED, FAILED), dict(watch.reached), watch.failing

            in_time, said, answer = in_child(work, 5 * LONGEST)
            if not in_time or not answer or not answer[0]:
                raise RuntimeError(f"the tests of {file} do not end without a fault:\n{said[-2000:]}")
            _, reached, failing = answer
            for name in sorted(failing):
                sys.stderr.write(f"left out, as it fails in the cage: {name}\n")
            self._baselines[file] = Baseline(monotonic() - began, reached, frozenset(failing))
        return self._baselines[file]

    def judge(self, mutant: Mutant) -> str:
        """Put a fault in, run the tests that reach it, and take it out again."""
        baseline = self.baseline(mutant.file)
        if not (tests := baseline.tests(mutant)):
            return UNREACHED
        longest = min(LONGEST, PATIENCE + TIMES * baseline.seconds)
        return self.put_to(mutant, [*tests, *(f"--deselect={name}" for name in baseline.failing)], longest)

    def put_to(self, mutant: Mutant, tests: list[str], longest: float = LONGEST) -> str:
        """Put a fault in, run some tests for so long (s), and take it out again."""
        path = self.copy / mutant.file
        source = path.read_bytes()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()
        path.write_bytes(mutant.applied(source))
        try:
            in_time, _, status = in_child(lambda: self._pytest(tests), longest)
        finally:
            path.write_bytes(source)
        if not in_time:
            return CLOCK
        return SURVIVED if status == 0 else CAUGHT

    def _pytest(self, arguments: list[str], watch: Watch | None = None) -> int:
        shutil.rmtree(self.temporary, ignore_errors=True)
        options = ["-q", "--no-header", "-p", "no:cacheprovider", f"--basetemp={self.temporary}"]
        options += ["-o", "addopts=--import-mode=importlib", *([] if watch else ["-x"])]
        return int(pytest.main([*options, *arguments], [watch] if watch else []))


def judged(mutants: Sequence[Mutant], *, trusting: bool = False) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant and what became of it: CAUGHT, CLOCK, SURVIVED or UNREACHED.

    The tests of each module are run first without a fault, to see that they pass and which reach which
    line; when `trusting`, all of them are taken, and taken to pass.

    Raises:
        RuntimeError: this machine has no cage, or the tests of a module do not end without a fault.
    """
    if lack := cage.missing():
        raise RuntimeError(lack)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([asdict(mutant) for mutant in mutants], file)
        file.flush()
        arguments = [file.name, *(["trusting"] if trusting else [])]
        yield from zip(mutants, map(str.strip, cage.lines("tests.mutation.trial", arguments)), strict=True)


def main() -> int:
    """Judge the mutants of a file, and print a word for each."""
    trials = Trials(Path(os.environ[cage.INSIDE]))
    for row in json.loads(Path(sys.argv[1]).read_text()):
        mutant = Mutant(**{**row, "lines": tuple(row["lines"])})
        became = trials.put_to(mutant, files(mutant.file)) if sys.argv[2:] else trials.judge(mutant)
        sys.stdout.write(f"{became}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
