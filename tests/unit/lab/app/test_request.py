"""The request for a run: what is refused before anything is built for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import catalog
from lab.app.request import AUTO, RunRequest, choose_profile, load_experiment, plan_run
from lab.errors import LabError, RunError, TopologyError, UnknownName
from lab.events import Note
from lab.formats.lab_yaml import write
from overlays import registry
from overlays.base import Missing
from tests.unit.synthetic import synthetic


@pytest.mark.parametrize("seconds", [0.5, float("nan"), float("inf"), 1e9])
def test_a_time_that_nothing_can_measure_for_is_refused(seconds: float) -> None:
    with pytest.raises(LabError, match="is no time to measure for; give 1 to 86,400 seconds"):
        choose_profile(load_experiment("multihop"), RunRequest("multihop", duration=seconds))


def test_words_that_no_cell_has_are_refused() -> None:
    """A whole lab was once built to measure nothing."""
    request = RunRequest("multihop", overlays=("underlay",), only=("tpc", "upd"))

    with pytest.raises(RunError, match="no cell of multihop has 'tpc' or 'upd' in its key"):
        plan_run(request)
    assert plan_run(replace(request, only=("tcp",))).cells(("tcp",))["underlay"]


@pytest.mark.parametrize("text", ["foo", "-3", "0", "inf", "nan", ""])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="is no rate"):
        plan_run(RunRequest("multihop", rate=text))


def test_a_rate_that_is_to_be_found_is_said_to_be() -> None:
    plan = plan_run(RunRequest("multihop", rate=AUTO))
    assert plan.profile.rate is None
    assert plan.profile.rate_source == "capacity"
    assert plan.rate_to_be_found
    assert "found before the run" in plan.profile.why
    assert plan.conditions() == plan.profile.why
    plan = plan_run(RunRequest("multihop", rate="55.5"))
    assert (plan.profile.rate, plan.profile.rate_source) == (55.5, "user")
    assert plan_run(RunRequest("multihop")).profile.rate_source == "profile"


def test_a_profile_gives_hosts_its_cpus_unless_the_topology_has_its_own(tmp_path: Path) -> None:
    plan = plan_run(RunRequest("datagram", overlays=("underlay",)))
    assert {host.cpus for host in plan.topology.hosts} == {0.25}
    assert {link.rate for link in plan.topology.links} == {1000}
    own = tmp_path / "own.yaml"
    own.write_bytes(write(catalog.topology("point_to_point").with_cpus(1.5)).encode())
    plan = plan_run(RunRequest("datagram", topology=str(own), overlays=("underlay",)))
    assert {host.cpus for host in plan.topology.hosts} == {1.5}


def test_without_docker_a_profiles_cpus_are_left_out_which_is_said() -> None:
    notes: list[str] = []
    request = RunRequest("datagram", overlays=("underlay",), daemons="none")
    plan = plan_run(request, lambda event: notes.append(event.text) if isinstance(event, Note) else None)
    assert (plan.daemons, plan.profile.cpus) == ("none", None)
    assert {host.cpus for host in plan.topology.hosts} == {None}
    assert notes == ["hosts without Docker have no CPU share: profile quick's 0.25 is left out"]
    assert "quarter of a CPU" not in plan.conditions()


def test_without_docker_a_topologys_cpus_are_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_bytes(write(catalog.topology("point_to_point").with_cpus(1.5)).encode())
    request = RunRequest("datagram", topology=str(own), overlays=("underlay",), daemons="none")
    with pytest.raises(TopologyError, match="host 'AMS' has no CPU share without Docker"):
        plan_run(request)


def test_what_hosts_without_docker_cannot_do_is_refused_before_they_are_made() -> None:
    with pytest.raises(LabError, match="--cli opens Mininet's prompt in Docker's containers"):
        plan_run(RunRequest("multihop", prompt=True, daemons="none"))
    with pytest.raises(UnknownName, match="did you mean 'none'"):
        plan_run(RunRequest("multihop", daemons="non"))


def test_a_resumed_run_has_the_hosts_that_it_began_with(tmp_path: Path) -> None:
    light = synthetic(tmp_path / "light", environment={"daemons": "none"}, measured=("underlay",))
    plain = synthetic(tmp_path / "plain", environment={}, measured=("underlay",))
    assert plan_run(RunRequest("multihop", resume=light.path)).daemons == "none"
    assert plan_run(RunRequest("multihop", resume=plain.path, daemons="none")).daemons == "docker"


@pytest.mark.parametrize("lacks", [True, False])
def test_what_stands_in_for_an_overlay_that_cannot_be_had_is_measured_and_said(
    lacks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Missing("no router's program is here", "name it") if lacks else None
    monkeypatch.setattr(registry.load("weave"), "obtainable", classmethod(lambda cls: missing))
    told: list[Any] = []
    plan = plan_run(RunRequest("multihop"), told.append)
    said = [event.text for event in told if isinstance(event, Note)]
    if lacks:
        assert list(plan.overlays) == ["underlay", "weave", "libnetwork", "yggdrasil", "tinc"]
        assert said == [
            "weave is not available: no router's program is here; yggdrasil and tinc are measured instead"
        ]
    else:
        assert list(plan.overlays) == ["underlay", "weave", "libnetwork"]
        assert not said


def test_nothing_stands_in_for_what_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Missing("no router's program is here", "name it")
    monkeypatch.setattr(registry.load("weave"), "obtainable", classmethod(lambda cls: missing))
    assert list(plan_run(RunRequest("multihop", overlays=("underlay",))).overlays) == ["underlay"]
