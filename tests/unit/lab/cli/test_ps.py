"""lab ps: a lab in words."""

from __future__ import annotations

from typing import Any

from lab.cli import ps


def test_ps_says_what_died_and_why() -> None:
    seen: dict[str, Any] = {
        "name": "class",
        "id": "x",
        "since": "now",
        "state": "up",
        "shaper": {"name": "wire", "up": False, "why": "process 7 died: it said nothing"},
        "hosts": [
            {"name": "AMS", "site": "AMS", "up": False, "why": "it was killed"},
            {
                "name": "PRG",
                "site": "PRG",
                "up": True,
                "cpus": 0.5,
                "memory_mib": 61.2,
                "dead": ["flanneld died: x"],
            },
        ],
        "links": [
            {
                "name": "AMS-PRG",
                "a": "AMS",
                "b": "PRG",
                "up": True,
                "asked_rtt_ms": 21.75,
                "rtt_ms": None,
                "asked_mbit": {"ab": 50.0, "ba": None},
                "mbit": {"ab": 1.0, "ba": 1.0},
                "loss": {"ab": 1.0, "ba": 0.0},
            }
        ],
        "overlays": [],
    }
    said = "\n".join(ps.lines(seen))
    assert "DEAD: it was killed" in said
    assert "flanneld died: x" in said
    assert "links carry nothing: process 7 died" in said
    assert "50 / any" in said
    assert "loses 1 %; no answer" in said


def test_ps_knows_nothing_of_a_light_hosts_cpu() -> None:
    host = {"name": "AMS", "site": "AMS", "up": True, "cpus": None, "memory_mib": None, "dead": []}
    known = {"name": "class", "id": "x", "since": "now", "state": "up", "shaper": None}
    lab: dict[str, Any] = {**known, "hosts": [host], "links": [], "overlays": []}
    assert list(ps.lines(lab))[-1].split() == ["AMS", "AMS", "–", "–"]
