"""Which processor does what with the wire's packets. No root."""

from __future__ import annotations

import pytest

from lab.emulation.links.link import LinkState
from lab.emulation.wire import rps

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
