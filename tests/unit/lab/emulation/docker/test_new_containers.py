"""Containers that are to become hosts: recorded before they are started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation import ownership
from lab.emulation.docker import new_containers
from lab.emulation.docker.host_spec import plans
from lab.emulation.docker.new_containers import NewContainers
from lab.events import Event
from lab.hosts.host import Result
from topologies import point_to_point


async def test_containers_are_recorded_before_they_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "RUN", tmp_path)
    state, recorded = ownership.LabState.create(), list[list[str]]()

    async def docker(argv: Sequence[str], **_: Any) -> Result:
        recorded.append(state.owned("container"))
        return Result(tuple(argv), 0, f"id {os.getpid()}\n" * 2 if argv[1] == "inspect" else "", "", 0.0)

    new = NewContainers(plans(state, point_to_point.topology(), Path("/seed")))
    state.shared(1).mkdir(parents=True)  # of one that went
    made = await new.start(state, docker)
    assert recorded[0] == [f"lab-{state.lab_id}-{name}" for name in new.names]
    assert [(record.name, record.light) for record, _ in made] == [("AMS", False), ("BRA", False)]
    assert made[0][1] == {"HOSTNAME": "AMS", "LAB_ID": state.mark}


async def test_only_hosts_with_a_docker_daemon_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited, said = list[tuple[object, ...]](), list[Event]()

    async def answers(*asked: object) -> None:
        waited.append(asked)

    async def run(argv: Sequence[str], **_: Any) -> Result:
        return Result(tuple(argv), 0, "", "", 0.0)

    monkeypatch.setattr(new_containers.containers, "docker_answers", answers)
    both = plans(ownership.LabState("beef"), point_to_point.topology(), Path("/seed"))
    plain = replace(both[1], socket=None)
    await NewContainers([both[0], plain]).ready(run, said.append)
    assert waited == [(both[0].socket, "AMS", "lab-beef-AMS", run)]
    await NewContainers([plain]).ready(run, said.append)
    assert [type(event).__name__ for event in said] == ["StepStarted", "StepDone"]


async def test_hosts_that_were_not_made_whole_go_by_the_names_of_their_containers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = list[tuple[object, ...]]()

    async def remove(*given: object) -> None:
        asked.append(given)

    monkeypatch.setattr(new_containers.cleanup, "remove_containers", remove)
    state = ownership.LabState("beef")
    run: Any = object()
    await NewContainers(plans(state, point_to_point.topology(), Path("/seed"))).undo(state, run)
    assert asked == [(state, ["lab-beef-AMS", "lab-beef-BRA"], run)]
