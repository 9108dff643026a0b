"""Every trouble of a spread run: what is lost is measured again, and nothing is there twice."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.app.request import plan_run
from lab.feed.named import RunSource
from lab.feed.recording import NAME
from lab.runs import run_folder
from lab.runs.run_folder import StoredRun
from tests.unit.lab.spread.fake_client import request
from tests.unit.lab.spread.fleet import Fleet

ASKED = request(Path("results"), 1)
#: Overlays of a run, and cells of a block.
OVERLAYS = 2
CELLS = len(plan_run(ASKED).cells(ASKED.only)["tinc"])


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    made.scheduler()
    yield made
    made.close()


def check(path: Path, bring_ups: int) -> StoredRun:
    """Check that a run has every sample once, and return it."""
    run = run_folder.read(path)
    there = Counter((s.overlay, s.bring_up, s.cell, s.repetition) for s in run.samples)
    assert set(there.values()) == {1}
    assert len(there) == OVERLAYS * CELLS * bring_ups
    assert {s.values["mean_ms"] - s.bring_up for s in run.samples} == {99.0}  # what follows from the seed
    assert all((path / (s.raw or "")).read_text() == f"raw {s.cell}" for s in run.samples)
    assert run.manifest.complete
    return run


def test_a_run_over_two_machines_has_every_sample_once_and_says_who_measured(fleet: Fleet) -> None:
    for name in ("a", "b"):
        fleet.worker(name)
    fleet.joined("a", "b")
    fleet.wait_for("scheduler", r"addr: tcp://127\.0\.0\.1:\d+ name: a")  # by the way to the scheduler
    fleet.client(4)
    assert fleet.status() == 0, fleet.output("client")

    run = check(fleet.run(), 4)
    assert set(run.manifest.machines) == {"a", "b"}
    assert run.manifest.machines["a"].kernel == "kernel of a"
    assert {s.on for s in run.samples} == {"a", "b"}
    assert len({(s.on, s.overlay) for s in run.samples}) == 2 * OVERLAYS  # no overlay on one machine only
    order = [(s.overlay, s.bring_up) for s in run.samples]
    assert order == sorted(order, key=order.index)  # block by block
    assert not list((run.path / "blocks").glob("*.jsonl"))


def test_the_labs_of_workers_are_shown_with_the_run(fleet: Fleet) -> None:
    for name in ("a", "b"):
        fleet.worker(name, LAB_TEST_SECONDS="0.3")
    fleet.joined("a", "b")
    fleet.client(3)
    fleet.until(lambda: (fleet.run() / NAME).exists(), "recording")
    source = RunSource(fleet.run())
    seen: dict[str, set[str]] = {"a": set(), "b": set()}

    def look() -> bool:
        for one in source.look():
            if one["kind"] in ("lab", "host"):
                seen[one["lab"]].add(one.get("state", one["kind"]))
        return all(kinds >= {"up", "host"} for kinds in seen.values())

    fleet.until(look, "labs of both workers, while they measure")
    fleet.kill("a")
    assert fleet.status() == 0, fleet.output("client")
    look()
    assert ("gone" in seen["a"], "gone" in seen["b"]) == (True, False)
    check(fleet.run(), 3)


def test_a_killed_worker_s_block_is_measured_elsewhere(fleet: Fleet) -> None:
    fleet.trouble.write_text("100 hang\n")
    for name in ("a", "b"):
        fleet.worker(name)
    fleet.joined("a", "b")
    fleet.client(2)
    fleet.until(lambda: fleet.trouble.read_text() == "", "block that hangs")
    stream = fleet.until(lambda: list((fleet.run() / "blocks").glob("*.1.samples.jsonl")), "sample on disk")
    hung = json.loads(stream[0].with_name(stream[0].name.replace("samples.jsonl", "claim.json")).read_text())
    fleet.kill(hung["machine"])
    assert fleet.status() == 0, fleet.output("client")

    run = check(fleet.run(), 2)
    lost = list((run.path / "blocks").glob("*.lost-1.jsonl"))
    assert len(lost) == 1  # what was measured is kept, apart
    assert f"machine {hung['machine']} is gone" in fleet.output("client")


def test_a_worker_that_comes_back_measures_again(fleet: Fleet) -> None:
    fleet.trouble.write_text("100 hang\n")
    fleet.worker("a")
    fleet.joined("a")
    fleet.client(2)
    fleet.until(lambda: fleet.trouble.read_text() == "", "block that hangs")
    fleet.kill("a")
    fleet.wait_for("client", "machine a is gone")
    fleet.worker("a")
    assert fleet.status() == 0, fleet.output("client")
    check(fleet.run(), 2)


def test_an_error_of_the_lab_sends_the_block_elsewhere(fleet: Fleet) -> None:
    """As a full disk of the worker's makes one, or a process of the lab that ends."""
    fleet.trouble.write_text("100 error\n101 die\n")
    for name in ("a", "b"):
        fleet.worker(name)
    fleet.joined("a", "b")
    fleet.client(3)
    assert fleet.status() == 0, fleet.output("client")
    check(fleet.run(), 3)
    said = fleet.output("client")
    assert "no space left on device; it is measured again" in said
    assert "the process of the lab ended" in said


def test_a_machine_on_which_every_block_fails_gets_no_more(fleet: Fleet) -> None:
    fleet.worker("a", LAB_TEST_SECONDS="0.5")  # so that the other one gets its second block
    fleet.worker("bad", LAB_TEST_VERDICT="no verdict")  # no sample of it can be made
    fleet.joined("a", "bad")
    fleet.client(6)
    assert fleet.status() == 0, fleet.output("client")
    run = check(fleet.run(), 6)
    assert run.manifest.machines["bad"].state == "excluded"
    assert "machine bad gets no more blocks: 2 blocks in a row failed there" in fleet.output("client")


def test_a_machine_that_limits_its_samples_is_named_and_gets_no_more(fleet: Fleet) -> None:
    fleet.worker("a", LAB_TEST_SECONDS="0.3")
    fleet.worker("slow", LAB_TEST_VERDICT="emulator-bound")
    fleet.joined("a", "slow")
    fleet.client(6)
    assert fleet.status() == 0, fleet.output("client")
    run = check(fleet.run(), 6)
    assert run.manifest.machines["slow"].state == "excluded"
    assert "samples (emulator-bound)" in run.manifest.machines["slow"].reason
    assert Counter(run.manifest.placed.values())["slow"] == 2


def test_a_machine_that_does_not_fit_is_refused_with_the_difference(fleet: Fleet) -> None:
    for name in ("a", "b"):
        fleet.worker(name)
    fleet.worker("other", LAB_TEST_IMAGE="sha256:2")
    fleet.worker("poor", LAB_TEST_MISSING="tc: not found; apt-get install iproute2")
    fleet.joined("a", "b", "other", "poor")
    fleet.client(2)
    assert fleet.status() == 0, fleet.output("client")
    run = check(fleet.run(), 2)
    for name, reason in {
        "other": "lab/host is sha256:2, elsewhere sha256:1",
        "poor": "tc: not found; apt-get install iproute2",
    }.items():
        if name in run.manifest.machines:  # it had joined before the run was over
            assert (run.manifest.machines[name].state, run.manifest.machines[name].reason) == (
                "refused",
                reason,
            )
    assert {s.on for s in run.samples} <= {"a", "b"}


def test_a_killed_client_finds_what_went_on_meanwhile(fleet: Fleet) -> None:
    fleet.worker("a", LAB_TEST_SECONDS="0.3")
    fleet.joined("a")
    fleet.client(2)
    fleet.wait_for("client", r"    ok")
    fleet.kill("client")
    path = fleet.run()
    assert not run_folder.read(path).manifest.complete

    fleet.client(2, path, "again")
    assert fleet.status("again") == 0, fleet.output("again")
    check(path, 2)
    assert "machine a still measures" in fleet.output("again")


def test_a_client_that_is_interrupted_leaves_no_block_behind(fleet: Fleet) -> None:
    fleet.trouble.write_text("100 hang\n")
    fleet.worker("a")
    fleet.joined("a")
    fleet.client(1)
    hung = int(fleet.wait_for("client", r"this is process (\d+)"))
    fleet.until(lambda: fleet.trouble.read_text() == "", "block that hangs")
    fleet.kill("client", signal.SIGINT)
    fleet.until(lambda: not Path(f"/proc/{hung}").exists(), "end of the lab's process")
    fleet.status()
    fleet.client(1, fleet.run(), "again")
    assert fleet.status("again") == 0, fleet.output("again")
    check(fleet.run(), 1)
    assert "still measures" not in fleet.output("again")


def test_a_worker_s_death_ends_its_lab(fleet: Fleet) -> None:
    fleet.trouble.write_text("100 hang\n")
    fleet.worker("a")
    fleet.joined("a")
    fleet.client(1)
    lab = int(fleet.wait_for("client", r"this is process (\d+)"))
    fleet.until(lambda: fleet.trouble.read_text() == "", "block that hangs")
    assert Path(f"/proc/{lab}").exists()
    fleet.kill("a")
    fleet.until(lambda: not Path(f"/proc/{lab}").exists(), "end of the lab's process")


def test_the_scheduler_s_death_ends_the_run_and_it_can_be_resumed(fleet: Fleet) -> None:
    fleet.worker("a", LAB_TEST_SECONDS="0.1")
    fleet.joined("a")
    fleet.client(3)
    fleet.wait_for("client", r"#2 goes to machine a")
    fleet.kill("scheduler")
    assert fleet.status() == 7
    assert "does not answer any more" in fleet.output("client")
    assert "go on with --resume" in fleet.output("client")
    path = fleet.run()
    before = len(run_folder.read(path).samples)
    assert 0 < before < 3 * OVERLAYS * CELLS

    (fleet.folder / "scheduler.out").unlink()
    fleet.scheduler()
    fleet.worker("a")
    fleet.client(3, path, "again")
    assert fleet.status("again") == 0, fleet.output("again")
    check(path, 3)


def test_a_worker_runs_no_function_of_another_client(fleet: Fleet, tmp_path: Path) -> None:
    from distributed import Client

    fleet.worker("a")
    fleet.joined("a")
    made = [tmp_path / name for name in ("by-task", "by-run")]
    with Client(fleet.address, set_as_default=False) as client:
        client.submit(os.mkdir, str(made[0]), pure=False)
        with pytest.raises(Exception, match=r"subscriptable|run"):  # there is no such handler
            client.run(os.mkdir, str(made[1]))
        fleet.wait_for("a", r"refuses posix\.mkdir")
    assert not any(path.exists() for path in made)
