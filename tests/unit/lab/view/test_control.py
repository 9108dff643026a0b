"""Orders of the page, and what a shell is told."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest

from lab.errors import LabError, UnknownName
from lab.view import control, questions, shell
from tests.unit.fakes import ME, lab_record

RECORD = lab_record(AMS=ME, PRG=ME)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('{"resize": [80, 24]}', (80, 24)),
        ('{"resize": [0, 24]}', None),
        ('{"resize": [80, 99999]}', None),
        ('{"resize": "80"}', None),
        ('{"resize": ["a", "b"]}', None),
        ("ls -l", None),
        ("[]", None),
        ("", None),
    ],
)
def test_a_size_of_a_terminal_is_read_and_nothing_else(text: str, size: tuple[int, int] | None) -> None:
    assert shell.resized(text) == size


def test_numbers_are_numbers_and_only_a_rate_can_be_none() -> None:
    assert control.number({"delay_ms": 5}, "delay_ms") == 5.0
    assert control.number({"rate_mbit_s": None}, "rate_mbit_s") is None
    for bad in (None, True, "5", [5], {}):
        with pytest.raises(LabError, match="is a number"):
            control.number({"delay_ms": bad}, "delay_ms")


@pytest.mark.parametrize("name", ["../x.pcapng", "x", "a/b.pcapng", ".pcapng/..", ""])
def test_a_name_that_is_none_of_a_capture_leads_nowhere(name: str) -> None:
    assert control.FILE.fullmatch(name) is None


@pytest.mark.parametrize(
    ("overlay", "sender", "target"), [("", "AMS", "X"), ("", "X", "PRG"), ("x", "AMS", "PRG")]
)
def test_unknown_places_are_named(overlay: str, sender: str, target: str) -> None:
    with pytest.raises(UnknownName):
        questions.address_of(RECORD, overlay, sender, target)


def carried(*edges: tuple[str, str]) -> nx.DiGraph[str]:
    return nx.DiGraph([pair for a, b in edges for pair in ((a, b), (b, a))])


def answer(graph: nx.DiGraph[str], overlay: str = "") -> dict[str, Any]:
    return questions.answer(graph, RECORD, overlay, "A", "C")


def test_a_path_is_that_of_the_links_that_carried_the_echoes() -> None:
    assert answer(carried(("A", "B"), ("B", "C"))) == {"underlay": ["A", "B", "C"], "overlay": None}


def test_a_path_with_other_traffic_says_so() -> None:
    assert "other traffic" in answer(carried(("A", "B"), ("B", "C"), ("C", "D")))["why"]


def test_links_that_carried_nothing_make_no_path() -> None:
    assert answer(carried(("A", "B")))["underlay"] is None


def test_an_overlay_on_a_routed_underlay_has_one_hop() -> None:
    assert answer(carried(("A", "B"), ("B", "C")), "flannel")["overlay"] == ["A", "C"]
