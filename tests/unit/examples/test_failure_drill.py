"""What the failure drill reads in the answers of `ping`."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

from lab.errors import MeasureError
from tests.paths import ROOT

SCRIPT = ROOT / "examples" / "failure_drill.py"


@pytest.fixture(scope="module")
def drill() -> Any:
    spec = importlib.util.spec_from_file_location("failure_drill", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def answers(*spans: tuple[float, float, float]) -> str:
    """Answers every 50 ms from a time to another one, with a round trip each."""
    lines = [
        f"[{1000 + n / 20:.6f}] 64 bytes from 10.0.0.2: icmp_seq={n + 1} ttl=64 time={rtt} ms"
        for begin, end, rtt in spans
        for n in range(round(begin * 20), round(end * 20))
    ]
    return "\n".join(lines)


def test_another_way_that_is_found_is_told(drill: Any) -> None:
    found = drill.read("tinc", 90.0, answers((0, 1, 22.2), (66, 94, 140.0)))
    assert found.dark == pytest.approx(65, abs=0.1)
    assert found.lost == 1300
    assert (found.rtt_before, found.rtt_during) == (22.2, 140.0)


def test_traffic_that_ended_before_the_link_was_back_tells_nothing(drill: Any) -> None:
    with pytest.raises(MeasureError, match="no answer on tinc after the link was up again"):
        drill.read("tinc", 90.0, answers((0, 1, 22.2)))
