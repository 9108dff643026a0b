"""Containers that are to become hosts: recorded before they are started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.emulation import ownership
from lab.emulation.docker.host_spec import plans
from lab.emulation.docker.new_containers import NewContainers
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
    made = await new.start(state, docker)
    assert recorded[0] == [f"lab-{state.lab_id}-{name}" for name in new.names]
    assert [(record.name, record.light) for record, _ in made] == [("AMS", False), ("BRA", False)]
    assert made[0][1] == {"HOSTNAME": "AMS", "LAB_ID": state.mark}
