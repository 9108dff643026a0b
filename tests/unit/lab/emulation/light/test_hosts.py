"""Light hosts: what a topology may ask of them, how they are ordered, and what is read of the answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import catalog
from lab.emulation import ownership
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.light import hosts as light
from lab.errors import HostError, TopologyError
from lab.events import silent
from lab.hosts.first_process import ENVIRONMENT
from lab.hosts.host import Result
from lab.topology import Topology
from topologies import linear, point_to_point

FILES = {"lab/host": Path("/roots/host"), "lab/gtsperf": Path("/roots/gtsperf")}

pytestmark = pytest.mark.usefixtures("own_folders")


class Starter:
    """Answers as the starter would; `answers` has a host's pid, or an error."""

    def __init__(self, **answers: int | str) -> None:
        self.answers, self.seen = answers, list[dict[str, Any]]()

    async def __call__(self, argv: Sequence[str], **options: Any) -> Result:
        self.seen.append({"argv": list(argv), **options})
        lines = [
            json.dumps({"name": name, "error" if isinstance(said, str) else "pid": said})
            for name, said in self.answers.items()
        ]
        return Result(tuple(argv), 0, "\n".join(lines), "", 0.0)


async def test_all_hosts_are_made_by_one_process_and_recorded_before() -> None:
    state, me = ownership.LabState.create(), os.getpid()
    starter = Starter(BRA=me, AMS=me)
    topology = point_to_point.topology()
    made = await light.new_hosts(topology, FILES).start(state, starter)
    (call,) = starter.seen
    order = json.loads(call["stdin"])
    assert call["argv"] == [sys.executable, "-P", "-S", "-m", "lab.emulation.light.starter"]
    assert call["timeout"] == light.PATIENCE + 2 * light.EACH
    assert [host["name"] for host in order["hosts"]] == ["AMS", "BRA"]
    assert order["hosts"][0]["env"]["LAB_ID"] == call["env"]["LAB_ID"] == state.mark
    assert (order["root"], order["folder"]) == ("/roots/host", str(state.folder))
    assert order["seeds"] == {"/var/lib/lab-seed/gtsperf": "/roots/gtsperf"}
    assert "SYS_PTRACE" not in order["capabilities"]
    assert state.owned("host") == ["AMS", "BRA"]
    records = [record for record, _ in made]
    assert [(r.name, r.number, r.addresses) for r in records] == [
        (h.name, h.number, topology.addresses(h.name)) for h in topology.hosts
    ]
    assert all(record.light and record.process.alive() for record in records)
    assert made[1][1] == {"HOSTNAME": "BRA", "LAB_ID": state.mark}
    assert records[1].env == ("HOSTNAME", "LAB_ID")
    assert order["hosts"][1]["env"] == {**ENVIRONMENT, "HOSTNAME": "BRA", "LAB_ID": state.mark}
    assert call["env"] == {**light.netns.OWN_MODULES, "LAB_ID": state.mark}
    assert order["capabilities"] == sorted(HOST_CAPABILITIES)


async def test_a_host_that_cannot_be_made_is_told_with_the_kernels_words() -> None:
    said = "mounting overlay on /x: No such device"
    with pytest.raises(HostError, match=f"BRA: it cannot be made without Docker \\({said}\\)"):
        await light.new_hosts(point_to_point.topology(), FILES).start(
            ownership.LabState.create(), Starter(AMS=1, BRA=said)
        )


def test_some_hosts_of_a_topology_are_planned_alone() -> None:
    assert light.new_hosts(linear.topology(), FILES, only={"BRA", "MIL"}).names == ["BRA", "MIL"]
    assert light.new_hosts(linear.topology(), FILES, only=()).names == []


async def test_to_undo_no_host_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_command(argv: Sequence[str], **_: Any) -> Result:
        raise AssertionError(argv)

    state = ownership.LabState.create()
    monkeypatch.setattr(ownership.Process, "kill", lambda self: pytest.fail(f"{self} is killed"))
    await light.new_hosts(linear.topology(), FILES, only=()).undo(state, no_command)
    await light.new_hosts(linear.topology(), FILES).ready(no_command, silent)


def test_what_a_light_host_cannot_be_is_refused() -> None:
    light.refuse(catalog.topology("linear"))
    with pytest.raises(
        TopologyError, match=r"'AMS' has no CPU share without Docker; leave out its cpus=0\.5"
    ):
        light.refuse(linear.topology().with_cpus(0.5))
    graph = point_to_point.topology().graph.copy()
    graph.nodes["BRA"]["image"] = "mine"
    with pytest.raises(TopologyError, match="'BRA' cannot be of image 'mine' without Docker"):
        light.refuse(Topology(graph, name="mine"))
    with pytest.raises(TopologyError, match="cannot be of image 'lab/rehearsal'"):
        light.refuse(linear.topology(), "lab/rehearsal")


@pytest.mark.parametrize("others", [False, True])
def test_files_of_images_that_other_labs_use_are_kept(monkeypatch: pytest.MonkeyPatch, others: bool) -> None:
    asked = list[Any]()
    monkeypatch.setattr(light.roots, "ensure", lambda emit, start, **how: asked.append((emit, start, how)))
    if others:
        ownership.LabState.create()
    light.image_roots(silent)
    ((emit, start, how),) = asked
    assert (emit, start.func, start.args, how) == (silent, light.serving, (silent,), {"keep_others": others})
