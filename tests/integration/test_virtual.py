"""Virtual time: real programs on real kernels in boxes; needs the kernel of `lab images build --virtual`."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.runs import run_folder
from lab.runs.run_folder import StoredRun
from lab.virtual import kernel
from tests.paths import ROOT

pytestmark = pytest.mark.timed

QUICK = ("--bringups", "1", "--repetitions", "1", "--duration", "1")
ONE_HOP = ("--cells", "latency/from=AMS/hops=1", "--cells", "tcp/from=AMS/hops=1")


def emulate(results: Path, *words: str) -> StoredRun:
    """Return the run in virtual time that was made with these words."""
    argv = [sys.executable, "-m", "lab", "emulate", "multihop", "--clock", "virtual", *QUICK, *words]
    done = subprocess.run(
        [*argv, "--results", str(results)], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return run_folder.read(next(results.iterdir()))


def in_boxes() -> set[str]:
    """The processes of all boxes on this machine."""
    argv = ["pgrep", "-f", "time-travel=inf-cpu"]
    return set(subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split())


@pytest.fixture(autouse=True)
def built() -> None:
    """The kernel, which is built once."""
    if kernel.find() is None:
        pytest.skip("no kernel of virtual time is built: lab images build --virtual")


@pytest.fixture
def busy() -> Iterator[None]:
    """Four programs that compute all the time."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


def test_a_run_is_exact_and_repeats_to_the_byte_beside_busy_programs(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Links of 1 Gbit/s, which no wall clock of this machine could have for six hosts."""
    runs = [emulate(tmp_path / "a", "--overlay", "underlay", *ONE_HOP)]
    request.getfixturevalue("busy")
    runs.append(emulate(tmp_path / "b", "--overlay", "underlay", *ONE_HOP))

    values = {sample.cell.split("/to=")[0]: sample.values for sample in runs[0].samples}
    assert values["underlay/latency/from=AMS/hops=1"]["mean_ms"] == pytest.approx(21.75, abs=0.01)
    # 1448 of the 1514 bytes of a packet are the receiver's
    assert values["underlay/tcp/from=AMS/hops=1"]["received_mbps"] == pytest.approx(956.4, rel=0.002)
    assert all(
        sample.valid and sample.clock == "virtual" and sample.costs == {} for sample in runs[0].samples
    )
    sums = {hashlib.sha256((run.path / "samples.jsonl").read_bytes()).hexdigest() for run in runs}
    assert len(sums) == 1


def test_every_bring_up_has_a_seed_of_its_own_and_boxes_run_side_by_side(tmp_path: Path) -> None:
    run = emulate(tmp_path, "--overlay", "underlay", "--bringups", "2", "--cells", "latency/from=AMS/hops=1")
    assert [sample.bring_up for sample in run.samples] == [1, 2]
    assert run.manifest.complete


def test_a_run_that_is_killed_leaves_no_process_and_can_be_resumed(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "lab", "emulate", "multihop", "--clock", "virtual", *QUICK]
    argv += ["--overlay", "underlay", "--cells", "latency/from=AMS/hops=1", "--results", str(tmp_path)]
    before, others = Path("/proc/self/mounts").read_text(), in_boxes()
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as lab:
        deadline = time.monotonic() + 120
        while not in_boxes() - others and time.monotonic() < deadline:
            time.sleep(0.1)
        mine = in_boxes() - others
        assert mine
        os.kill(lab.pid, signal.SIGKILL)
    while in_boxes() & mine and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not in_boxes() & mine
    assert Path("/proc/self/mounts").read_text() == before

    path = next(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "lab", "emulate", "multihop", "--resume", str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run_folder.read(path).manifest.complete


def test_the_example_of_a_backbone_runs_shortened(tmp_path: Path) -> None:
    argv = [sys.executable, str(ROOT / "examples/virtual_backbone.py"), "--cities", "8", "--pairs", "2"]
    done = subprocess.run(
        [*argv, "--seconds", "2"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[-2:]]
    assert all(300 < float(row[-1]) < 960 for row in rows)


def test_a_script_runs_in_a_box_and_keeps_what_it_leaves(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import os, sys\n"
        "from lab import Lab\n"
        "with Lab('linear', overlay='underlay', rate=1000, clock='virtual') as lab:\n"
        "    print(f'{lab.ping_all()[0].rtt_ms:.2f}')\n"
        "    open(os.environ['LAB_RESULTS'] + '/left', 'w').write('kept')\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (3, "21.75"), done.stderr
    assert next(tmp_path.glob("results/*/kept/left")).read_text() == "kept"
