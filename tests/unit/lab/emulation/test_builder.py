"""The parts of a lab and the steps that make them, with commands that are only written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.builder import Builder, RunningLab, new_lab
from lab.emulation.links.netem import Netem
from lab.emulation.ownership import labs
from lab.emulation.registry import read
from lab.errors import LabError
from lab.events import silent
from lab.hosts.container import ContainerHost
from lab.hosts.host import Result
from lab.hosts.namespace import NamespaceHost
from tests.unit.lab_record import a_lab

pytestmark = pytest.mark.usefixtures("own_folders")


async def no_command(argv: Sequence[str], **_: Any) -> Result:
    raise AssertionError(f"not to be run: {argv}")


def test_a_lab_whose_name_is_taken_leaves_nothing() -> None:
    made = a_lab("class")
    with pytest.raises(LabError, match="a lab class is up already"):
        new_lab("class")
    assert [state.lab_id for state in labs()] == [made.lab_id]


def test_what_is_saved_is_what_another_process_takes_up() -> None:
    lab = RunningLab.of(a_lab(), no_command)
    lab.forget_hosts(["PRG"])
    lab.hosts["AMS"].addresses = ("192.168.9.1",)
    lab.save()
    stored = read(lab.record.lab_id)
    assert stored is not None
    again = RunningLab.of(stored, no_command)
    assert list(again.hosts) == list(lab.hosts)
    assert "PRG" not in again.hosts
    assert again.hosts["AMS"].addresses == ("192.168.9.1",)
    assert (again.pids, again.links, again.topology) == (lab.pids, lab.links, lab.topology)


def test_hosts_without_a_container_are_taken_up_as_namespaces() -> None:
    record = a_lab()
    record.hosts[0] = replace(record.hosts[0], container="", container_id="")
    lab = RunningLab.of(record, no_command)
    kinds = [type(host) for host in lab.hosts.values()]
    assert kinds == [NamespaceHost] + [ContainerHost] * (len(kinds) - 1)
    assert lab.hosts["AMS"].addresses == record.hosts[0].addresses


async def test_the_namespace_of_the_links_is_recorded_before_it_is_made() -> None:
    lab, recorded = new_lab("class"), list[list[str]]()

    async def run(argv: Sequence[str], **_: Any) -> Result:
        if list(argv[:3]) == ["ip", "netns", "add"]:
            recorded.append(lab.state.owned("namespace"))
        return Result(tuple(argv), 0, "", "", 0.0)

    build = Builder(lab, Netem, run, silent)
    fabric = await build.open_fabric()
    assert recorded == [[f"lab-{lab.record.lab_id}"]]
    assert lab.record.shaper == "netem"
    # and a second link finds it there
    assert await build.open_fabric() is fabric
    assert Path(lab.state.folder, "shaper").is_dir()
