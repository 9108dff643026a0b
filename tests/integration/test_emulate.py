"""`lab emulate` as a user runs it: whole, interrupted, killed and resumed, and asked for nonsense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.inventory import inventory

ROOT = Path(__file__).resolve().parents[2]
#: Two cells of three one-second repetitions.
SMALL = [
    "multihop",
    "--overlay",
    "underlay",
    "--repetitions",
    "3",
    "--duration",
    "1",
    "--cells",
    "latency/from=AMS/hops=1",
]
SMALL += ["--cells", "udp/from=AMS/hops=2", "--bringups", "1", "--rate", "20"]
#: The same on three hosts, for what is not about the network.
SHORT_LINE = [*SMALL, "--topology", "linear:sites=AMS+PRG+BRA"]


def lab(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "lab", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240, **more)


def begin(*words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "lab", *words]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def samples(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def only_run(results: Path) -> Path:
    (folder,) = results.iterdir()
    return folder


def wait_for_samples(results: Path, count: int, command: subprocess.Popen[str]) -> None:
    """Return once so many samples of a run are on disk."""
    deadline = time.monotonic() + 120
    while (
        not any(results.glob("*/manifest.json"))
        or sum(p.read_bytes().count(b"\n") for p in results.glob("*/samples.jsonl")) < count
    ):
        assert command.poll() is None, command.stdout.read() if command.stdout else ""
        assert time.monotonic() < deadline, "no samples"
        time.sleep(0.05)


def test_a_run_leaves_samples_table_figures_and_nothing_else(docker_daemon: None, tmp_path: Path) -> None:
    before = inventory()
    # when a small run is asked for, with a trace
    done = lab("emulate", *SMALL, "--results", str(tmp_path / "r"), "--trace", str(tmp_path / "trace.sh"))
    # then it succeeds, and the run folder is whole
    assert done.returncode == 0, done.stdout + done.stderr
    folder = only_run(tmp_path / "r")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["complete"]
    assert manifest["calibration"].keys() == {"AMS-PRG", "PRG-BRA", "BRA-LJU", "LJU-MIL", "MIL-AMS2"}
    found = samples(folder)
    assert len(found) == 6
    latency = [s["values"]["mean_ms"] for s in found if s["metric"] == "latency"]
    assert all(21.0 < ms < 24.0 for ms in latency), latency
    rates = [s["values"]["received_mbps"] for s in found if s["metric"] == "udp"]
    assert all(10.0 < rate < 20.0 for rate in rates), rates
    assert all((folder / s["raw"]).exists() for s in found)
    assert list((folder / "figures").glob("*.svg"))
    assert (folder / "report.html").exists()
    # the table names what the figures hold for
    assert "20 Mbit/s" in done.stdout
    assert "underlay" in done.stdout
    # the trace has what ran on hosts and on the machine
    trace = (tmp_path / "trace.sh").read_text()
    assert "on AMS: status 0" in trace
    assert "netperf" in trace
    assert "containers/create" in trace
    # and the machine is as before
    assert inventory() == before


def test_kill_9_and_resume_lose_no_sample_and_measure_none_twice(docker_daemon: None, tmp_path: Path) -> None:
    before = inventory()
    results = tmp_path / "r"
    # given a run that is killed after two samples
    command = begin("emulate", *SHORT_LINE, "--results", str(results))
    wait_for_samples(results, 2, command)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    folder = only_run(results)
    finished = (folder / "samples.jsonl").read_bytes().rsplit(b"\n", 1)[0]
    # when the machine is cleaned up and the run resumed
    cleaned = lab("cleanup")
    assert cleaned.returncode == 0, cleaned.stderr
    assert inventory() == before
    resumed = lab("emulate", "multihop", "--resume", str(folder))
    # then the finished samples are as they were, and none was measured twice
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert (folder / "samples.jsonl").read_bytes().startswith(finished)
    counted = Counter((s["cell"], s["repetition"]) for s in samples(folder) if s["outcome"] == "ok")
    assert len(counted) == 6
    assert set(counted.values()) == {1}
    assert inventory() == before


@pytest.mark.parametrize(("number", "measured"), [(signal.SIGINT, 1), (signal.SIGTERM, 0)])
def test_an_interrupted_run_takes_everything_away(
    docker_daemon: None, tmp_path: Path, number: signal.Signals, measured: int
) -> None:
    before = inventory()
    command = begin("emulate", *SHORT_LINE, "--results", str(tmp_path / "r"))
    wait_for_samples(tmp_path / "r", measured, command)
    command.send_signal(number)
    said, _ = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert f"--resume {only_run(tmp_path / 'r')} goes on" in said
    assert inventory() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["multihops"], "unknown experiment 'multihops'; did you mean 'multihop'?"),
        (["multihop", "--overlay", "weav"], "unknown overlay 'weav'; did you mean 'weave'?"),
        (["multihop", "--topology", "liner"], "unknown topology 'liner'; did you mean 'linear'?"),
        (["multihop", "--profile", "fast"], "unknown profile 'fast'"),
        (["multihop", "--rate", "-5"], "--rate -5 is no rate"),
        (
            ["multihop", "--overlay", "weave", "--weaver", "/no/such/weaver"],
            "LAB_WEAVER names /no/such/weaver",
        ),
        (
            ["multihop", "--on-mode-change", "shrug"],
            "unknown answer to a fall-back 'shrug'; known: mark, relaunch",
        ),
        (["multihop", "--duration", "nan"], "--duration nan is no time to measure for"),
        (["mesh", "--cells", "tpc"], "no cell of mesh has 'tpc' in its key"),
        (["mesh", "--results", "/proc/x"], "no run folder can be made in /proc/x"),
        (["mesh", "--trace", "/no/such/trace"], "the trace cannot be written to /no/such/trace"),
        (["mesh", "--shaper", "magic"], "unknown shaper 'magic'"),
        (["mesh", "--resume", "/no/such/run"], "/no/such/run is no run folder"),
    ],
)
def test_nonsense_is_one_sentence_and_builds_nothing(
    docker_daemon: None, words: list[str], sentence: str
) -> None:
    before = inventory()
    done = lab("emulate", *words)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert inventory() == before


def test_a_results_folder_of_another_schema_is_refused(docker_daemon: None, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema": 99, "run": "x"}')
    done = lab("emulate", "multihop", "--resume", str(tmp_path))
    assert done.returncode == 1
    assert "schema" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_dry_run_builds_nothing(docker_daemon: None) -> None:
    before = inventory()
    done = lab("emulate", "multihop", "--dry-run", "--overlay", "underlay")
    assert done.returncode == 0, done.stderr
    assert "underlay/tcp/from=AMS/hops=5/to=AMS2" in done.stdout
    assert "minutes of measuring at 10 Mbit/s" in done.stdout
    assert inventory() == before
