"""A run over two workers with real labs of light hosts: one is killed with its lab, and returns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.ownership import LabState, Process, labs
from lab.feed.named import RunSource
from lab.runs import run_folder
from tests.paths import ROOT

PATIENCE = 150.0
RUN = (
    *("emulate", "multihop", "--topology", "point_to_point", "--overlay", "underlay", "--daemons", "none"),
    *("--rate", "20", "--cells", "latency", "--repetitions", "1", "--bringups", "4", "--duration", "1"),
)


def until(true: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)
    return found


class Programs:
    """Programs of one test, with their outputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / name).open("ab") as out:
            argv = [sys.executable, *words]
            one = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
        self.running.append(one)
        return one

    def said(self, name: str, words: str) -> bool:
        return words in (self.folder / name).read_text()

    def worker(self, name: str, address: str) -> subprocess.Popen[bytes]:
        words = ["-m", "lab", "worker", address, "--name", name, "--share-machine"]
        return self.start(name, *words, "--folder", str(self.folder / f"of-{name}"))


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    for one in reversed(made.running):
        one.terminate()
        try:
            one.wait(30)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


def lab_of(worker: int) -> LabState | None:
    """Return the lab of a worker's process."""
    threads = Path(f"/proc/{worker}/task").glob("*/children")
    children = [child for thread in threads for child in thread.read_text().split()]
    owners = {Process.of(int(child)) for child in children}
    return next((state for state in labs() if state.owner() in owners), None)


def test_a_worker_that_is_killed_with_its_lab_returns_and_removes_the_rest(programs: Programs) -> None:
    code = "import sys; from distributed.cli.dask_scheduler import main; main(sys.argv[1:])"
    programs.start("scheduler", "-c", code, "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    until(lambda: programs.said("scheduler", "Scheduler at:"), "scheduler")
    line = next(
        one for one in (programs.folder / "scheduler").read_text().splitlines() if "Scheduler at:" in one
    )
    address = line.split()[-1]
    workers = {name: programs.worker(name, address) for name in ("one", "two")}
    for name in workers:
        until(lambda name=name: programs.said(name, "waits for blocks"), f"worker {name}")
    results = programs.folder / "results"
    client = programs.start("client", "-m", "lab", *RUN, "--on", address, "--results", str(results))

    torn = until(lambda: lab_of(workers["one"].pid), "lab of worker one")
    until(lambda: len(torn.owned()) > 1, "parts of this lab")
    owner = torn.owner()
    assert owner is not None
    os.kill(workers["one"].pid, signal.SIGKILL)
    owner.kill()  # what has the lab, so that nobody removes it
    workers["one"].wait()
    until(lambda: not torn.alive(), "end of the owner")
    assert any(state.lab_id == torn.lab_id for state in labs())
    until(lambda: programs.said("client", "machine one is gone"), "loss of the machine")

    programs.worker("one", address)
    until(lambda: all(state.lab_id != torn.lab_id for state in labs()), "removal of the torn lab")
    assert client.wait(PATIENCE) == 0, (programs.folder / "client").read_text()[-3000:]

    run = run_folder.read(next(results.iterdir()))
    assert run.manifest.complete
    counts = Counter((s.cell, s.bring_up, s.repetition) for s in run.samples if s.measured)
    assert set(counts.values()) == {1}
    assert {number for _, number, _ in counts} == {1, 2, 3, 4}
    assert {s.on for s in run.samples} <= {"one", "two"}
    assert run.manifest.machines["two"].calibration
    page = (run.path / "report.html").read_text()
    assert f"machines of run {run.manifest.run}" in page

    seen = [one for one in RunSource(run.path).look() if "lab" in one]
    assert {one["kind"] for one in seen if one["lab"] == "two"} >= {"lab", "links", "host", "overlay"}
    assert {one["overlay"] for one in seen if one["kind"] == "overlay"} == {"underlay"}
