"""A run over several machines in the report: a row per machine, and intervals without the machines' part."""

from __future__ import annotations

from pathlib import Path

from lab.report.html import machines
from lab.report.selection import Group, SampleValue
from lab.runs.manifest import MachineState
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Verdict
from tests.unit.synthetic import synthetic


def test_a_row_says_what_a_machine_is_and_how_much_of_it_counts(tmp_path: Path) -> None:
    bound = Verdict(state="emulator-bound", reasons=["steal"])
    run = synthetic(
        tmp_path, ("underlay",), bring_ups=2, verdict=lambda cell, number: bound if number == 1 else Verdict()
    )
    known = {"cpus": 2, "cpu": "made up", "memory_mib": 4096, "kernel": "6.1", "shaper": "netem"}
    manifest = run.manifest.model_copy(
        update={
            "machines": {
                "a": MachineState(**known, capacity="underlay 40 Mbit/s"),
                "b": MachineState(state="refused", reason="lab/host is 1, elsewhere 2"),
            },
            "placed": {"underlay #1": "a", "underlay #2": "a"},
        }
    )
    table = machines(StoredRun(run.path, manifest, run.samples))
    (a, b) = table.sections[0].rows
    assert a[:5] == ["a", "2 × made up, 4096 MiB, carries underlay 40 Mbit/s", "netem", "6.1", "2"]
    assert a[5] == str(len(run.samples))
    counts = sum(sample.valid for sample in run.samples)
    assert a[6] == f"{100 * counts / len(run.samples):.0f} %"
    assert b[4:] == ["0", "0", "–", "refused: lab/host is 1, elsewhere 2"]
    assert machines(run).sections == []  # of a run on one machine


def test_a_group_of_samples_of_two_machines_has_an_interval_without_their_difference() -> None:
    values = [(1, 10.0, "a"), (2, 20.0, "b"), (3, 10.2, "a"), (4, 20.2, "b"), (5, 9.8, "a"), (6, 19.8, "b")]
    two = Group([SampleValue(number, value, True, on) for number, value, on in values])
    one = Group([SampleValue(number, value) for number, value, _ in values])
    assert two.summary is not None
    assert one.summary is not None
    assert abs(two.summary.mean - one.summary.mean) < 1e-9
    assert two.summary.high is not None
    assert two.summary.low is not None
    assert one.summary.high is not None
    assert one.summary.low is not None
    assert two.summary.high - two.summary.low < 0.1 * (one.summary.high - one.summary.low)
