"""Labels, and topologies for Graphviz and Mermaid."""

from __future__ import annotations

from lab import catalog
from lab.draw import labels as diagram


def test_graphviz_and_mermaid() -> None:
    star = catalog.topology("star")

    assert '  "BRA" -- "AMS" [label="17.7 ms\\n10 Mbit/s"];' in diagram.dot(star)
    assert '  h1 -- "17.7 ms<br/>10 Mbit/s" --- h2' in diagram.mermaid(star)
    assert diagram.mermaid(star).startswith("graph LR\n")
