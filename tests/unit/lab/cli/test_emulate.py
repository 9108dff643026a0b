"""lab emulate, as far as nothing is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app.request import RunRequest
from lab.cli.emulate import as_stored, parts, show_plan
from lab.runs import capacity_estimate
from lab.runs.run_folder import RunFolder
from overlays.weave import router
from tests.paths import FIXTURES
from tests.unit.command_line import Lab
from tests.unit.fakes import manifest
from tests.unit.synthetic import recorded_run

FIXTURES = FIXTURES / "dsl"


def test_what_is_for_documents_holds_in_an_emulation_too(lab: Lab, tmp_path: Path) -> None:
    """Before anything is built: switches are refused, further sites are taken, bare metal is a host."""
    file = tmp_path / "net.dsl"
    ends = 'host {id="a" location="OSL" port {id="p"}} baremetalserver {id="b" location="AMS" port {id="p"}}'
    file.write_text(f'x {{ {ends} link {{ id="l" port {{ id="src" }} port {{ id="dst" }} }} }}')
    emulate = ("emulate", "multihop", "--dry-run", "--overlay", "underlay", "--topology")

    assert lab(*emulate, FIXTURES / "switches.dsl")[2].startswith(
        "lab: topology 'Switched' has OpenFlow switches (ofxAMS, vsi_PRG), which the lab does not emulate;"
    )
    assert "'l': the link has no end" in lab(*emulate, file, "--site", "OSL=59.91,10.75")[2]
    file.write_text(file.read_text()[:-1] + "adjacency a.p, l.src adjacency b.p, l.dst }")
    assert "unknown location" in lab(*emulate, file)[2]
    status, out, _ = lab(*emulate, file, "--site", "OSL=59.91,10.75")
    assert (status, out.splitlines()[0]) == (0, "underlay/latency/from=a/hops=1/to=b  1 × 2 s")
    file.write_text('x { host { id="a" location="AMS" } host { id="b" location="AMS" } }')
    assert lab(*emulate, file)[2] == "lab: topology 'x' has no links, so there is nothing to measure on it\n"


def test_a_dry_run_says_as_well_what_cannot_be_carried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(capacity_estimate.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(capacity_estimate, "_entries", lambda folder: [])
    show_plan(RunRequest("multihop", rate="1000", overlays=("underlay", "tinc"), only=("hops=5",)))
    assert "tinc at 1000 Mbit/s: 6 daemons in a row" in capsys.readouterr().out.splitlines()[-1]
    show_plan(RunRequest("multihop", overlays=("underlay", "tinc"), only=("hops=5",)))
    assert "daemons" not in capsys.readouterr().out


def test_a_dry_run_names_cells_minutes_rate_and_cpus(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(RunRequest("offload", overlays=("underlay",)))
    said = capsys.readouterr().out
    assert "underlay/tcp/from=AMS/offload=off/to=BRA  2 × 3 s" in said
    assert "2 cells, 0.6 minutes of measuring at 1000 Mbit/s per link, 0.25 CPUs per host" in said
    assert (
        "about 1 minute with the start of the tools, and the time to bring up 1 overlay, 3 times each" in said
    )
    show_plan(RunRequest("offload", overlays=("underlay",), duration=1, only=("offload=on",)))
    assert "less than a minute with the start of the tools" in capsys.readouterr().out


def test_a_dry_run_leaves_out_an_overlay_that_cannot_be_had_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "program", lambda: None)
    show_plan(RunRequest("multihop", overlays=("all",), only=("hops=5",)))
    lines = capsys.readouterr().out.splitlines()
    (left_out,) = (line for line in lines if line.startswith("weave"))
    assert left_out.startswith("weave is left out: no Weave router's program is here; put ")
    assert any(line.startswith("underlay/tcp/") for line in lines)


def test_what_virtual_time_cannot_have_is_refused_also_where_a_run_is_resumed(
    lab: Lab, tmp_path: Path
) -> None:
    virtual = manifest(experiment="multihop", clock="virtual", bring_ups=2)
    with RunFolder.create(tmp_path, virtual) as folder:
        path = folder.path
    for words in (("--clock", "virtual"), ("--resume", path)):
        said = lab("emulate", "multihop", *words, "--keep")
        assert said[2] == "lab: --keep is for real time: a lab in virtual time ends with its run\n"
    assert "--cost is for virtual time" in lab("emulate", "multihop", "--cost", "weaver=5")[2]
    assert "unknown clock 'vertual'" in lab("emulate", "multihop", "--clock", "vertual")[2]


def test_a_run_in_virtual_time_is_resumed_with_its_own_cells_seed_and_costs(tmp_path: Path) -> None:
    begun = manifest(experiment="multihop", clock="virtual", only=["latency"], seed=7, costs={"tincd": 40.0})
    with RunFolder.create(tmp_path, begun) as folder:
        path = folder.path
    request = as_stored(RunRequest("multihop", resume=path))
    assert (request.clock, request.daemons) == ("virtual", "none")
    assert (request.only, request.seed, request.costs) == (("latency",), 7, {"tincd": 40.0})


def test_a_dry_run_in_virtual_time_counts_bring_ups_and_knows_no_limit_of_the_machine(lab: Lab) -> None:
    words = ("emulate", "multihop", "--clock", "virtual", "--dry-run", "--overlay", "tinc", "--cells", "tcp")
    once, thrice = (lab(*words, "--bringups", n)[1].splitlines()[-2:] for n in (1, 3))
    assert "daemons in a row" not in once[-1]
    assert float(thrice[0].split()[2]) == pytest.approx(3 * float(once[0].split()[2]), abs=0.21)


def test_the_end_says_how_long_each_part_took(tmp_path: Path) -> None:
    path = recorded_run(tmp_path)
    with RunFolder.resume(path) as folder:
        folder.manifest.timing.update(
            {"bring-up": {"hosts": 20.0, "links": 4.0}, "underlay": {"samples": 65.0}}
        )
        folder.save()
    assert parts(path, 3.0, 100.0) == (
        "times: bring-up 24 s, underlay 1:05 min, figures and page 3.0 s; in all 1:40 min"
    )
