"""A packed run as a plan to measure it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app.reproduction import chosen, definition, require_same
from lab.errors import LabError, RunError, UsageError
from tests.unit.synthetic import synthetic, throughput_run


def test_the_definition_of_a_run_is_that_of_its_manifest(tmp_path: Path) -> None:
    run = throughput_run(
        tmp_path, 100, seed=99, only=["udp"], on_fallback="relaunch", environment={"daemons": "none"}
    )
    request, plan = definition(run, tmp_path / "mine")
    assert (request.seed, request.only, request.on_fallback, request.daemons) == (
        99,
        ("udp",),
        "relaunch",
        "none",
    )
    assert request.results == tmp_path / "mine"
    assert plan.topology.to_dict() == run.manifest.topology
    assert list(plan.overlays) == ["underlay", "weave"]
    assert plan.profile.bring_ups == run.manifest.bring_ups
    assert plan.profile.rate == run.manifest.profile["rate"]
    assert plan.daemons == "none"


def test_virtual_time_has_the_same_prices(tmp_path: Path) -> None:
    run = synthetic(tmp_path, clock="virtual", costs={"upcall": 30.0})
    request, _ = definition(run, tmp_path)
    assert (request.clock, request.costs) == ("virtual", {"upcall": 30.0})


def test_runs_that_are_no_emulation_say_how_to_compare_them(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"on real machines; .* compare with --against"):
        definition(throughput_run(tmp_path, 100, shaper=""), tmp_path)
    run = throughput_run(tmp_path / "cost", 100)
    manifest = run.manifest.model_copy(update={"experiment": "packetcost"})
    with pytest.raises(LabError, match="lab packetcost"):
        definition(type(run)(run.path, manifest, run.samples), tmp_path)


def test_one_of_several_runs_is_named_by_its_id(tmp_path: Path) -> None:
    runs = [throughput_run(tmp_path / "a", 100), throughput_run(tmp_path / "b", 50, run="0ther1")]
    assert chosen(runs, "0ther1") is runs[1]
    assert chosen(runs[:1], "") is runs[0]
    for name in ("", "none"):
        with pytest.raises(UsageError, match=r"--run: 5ynth1 \(throughput\), 0ther1 \(throughput\)"):
            chosen(runs, name)


def test_runs_of_two_experiments_are_not_compared(tmp_path: Path) -> None:
    one, other = throughput_run(tmp_path / "a", 100), synthetic(tmp_path / "b")
    require_same(one, one)
    with pytest.raises(UsageError, match="is one of multihop; --against needs one of throughput"):
        require_same(one, other)
