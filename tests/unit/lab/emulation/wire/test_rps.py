"""Which processor does what with the wire's packets. No root."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Any

import pytest

from lab.emulation.links.link import LinkState
from lab.emulation.wire import rps
from lab.hosts.host import Result

LINES = [
    LinkState("A-B", 1, end_a="/a", end_b="/b", interface_a="eth1", interface_b="eth1"),
    LinkState("B-C", 2, end_a="/b", end_b="/c", interface_a="eth2", interface_b="eth1"),
]


@pytest.mark.parametrize(
    ("cpus", "text"),
    [({0}, "1"), ({0, 1, 2}, "7"), ({4}, "10"), ({32}, "1,00000000"), ({0, 35, 64}, "1,00000008,00000001")],
)
def test_processors_are_written_as_the_kernel_reads_them(cpus: set[int], text: str) -> None:
    assert rps.cpu_mask(cpus) == text


def test_the_wire_has_a_processor_of_its_own_where_there_are_two() -> None:
    assert rps.wire_cpu({0, 1}) == 1
    assert rps.wire_cpu({3, 7, 5}) == 7
    assert rps.wire_cpu({2}) is None


def test_a_host_is_entered_once_for_all_its_interfaces() -> None:
    lines = rps.script(LINES, "1").splitlines()

    assert len(lines) == 4
    assert [line.split(" ")[1] for line in lines[:3]] == ["--net=/a", "--net=/b", "--net=/c"]
    assert "eth1 eth2" in lines[1]
    assert lines[-1] == "wait"


def test_what_cannot_be_steered_is_printed() -> None:
    first = rps.script(LINES[:1], "6").splitlines()[0]
    steer = 'for i; do echo 6 >/sys/class/net/"$i"/queues/rx-0/rps_cpus || echo "$i"; done'
    each = f"mount -t sysfs none /sys && {steer} || echo sysfs"
    assert shlex.split(first.removesuffix(" 2>/dev/null &")) == [
        *("nsenter", "--net=/a", "sh", "-c", each, "sh", "eth1"),
    ]
    assert first.endswith(" 2>/dev/null &")


@pytest.mark.parametrize(("said", "own"), [("", 1), ("eth1\n", None), ("sysfs\n", None)])
async def test_the_wire_moves_only_where_all_could_be_steered(
    said: str, own: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    async def run(argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> Result:
        ran.append((list(argv), stdin.decode()))
        return Result(tuple(argv), 0, said, "", 0.0)

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert await rps.steer(LINES, run) == own
    assert ran == [(["unshare", "--mount", "sh", "-s"], rps.script(LINES, "1"))]
    assert await rps.steer([], run) == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert await rps.steer(LINES, run) is None
    assert len(ran) == 1
