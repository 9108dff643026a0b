"""Adjacencies: links that join nothing new, and faults that are looked for no longer than they are told."""

from __future__ import annotations

from collections import Counter

import pytest

from lab import dsl
from lab.dsl import adjacencies
from tests.unit.lab.dsl.documents import HOST, LINK, faults, pair


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (LINK.format("l2"), "7:12: 'l2': the link has no end; expected an adjacency for src and dst"),
        (
            LINK.format("l2") + "\nadjacency a.p2, l2.src",
            "7:12: 'l2': the link has one end; expected an adjacency for dst",
        ),
        (
            LINK.format("l2") + "\nadjacency a.p2, l2.src\nadjacency b.p2, l2.dst",
            "7:12: 'l2': a second link between a and b, beside 'l1'; expected one",
        ),
        (
            HOST.format("c") + LINK.format("l2") + "\nadjacency c.p1, l2.src\nadjacency c.p2, l2.dst",
            "7:76: 'l2': the link joins 'c' to itself; expected two ends that differ",
        ),
    ],
)
def test_links_that_join_nothing_new(more: str, expected: str) -> None:
    assert faults(pair(more)) == [expected]


def test_ports_without_a_link_are_legal_and_kept() -> None:
    topology = dsl.parse(pair())

    assert dsl.export(topology).count('port {id="p2"}') == 2


def test_nothing_is_looked_for_beyond_the_faults_that_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest name was looked for tens of thousands of times, for faults that nobody was told."""
    asked = Counter[str]()
    monkeypatch.setattr(adjacencies, "expected", lambda *_: asked.update("x") or "expected another")
    hosts = "".join(f'host {{ id="host{n}" location="AMS" }}' for n in range(1000))
    found = faults(f"Net {{ {hosts} {''.join(f'adjacency h{n}.p, l{n}.src ' for n in range(1000))} }}")

    assert len(found) == 200
    assert asked.total() == adjacencies.HINTS
