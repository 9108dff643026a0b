"""Mininet's parameters of a link as shapes of the lab's."""

from __future__ import annotations

from typing import Any

import pytest

from lab.containernet import tc_params
from lab.containernet.tc_params import milliseconds
from lab.emulation.links.link import Shape
from lab.errors import ShaperError, TopologyError
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10ms", 10.0),
        ("0.5s", 500.0),
        ("250us", 0.25),
        (7, 7.0),
        (" 1.5 ms ", 1.5),
        ("2msec", 2.0),
        ("1secs", 1e3),
    ],
)
def test_times_as_mininet_writes_them(text: str | float, ms: float) -> None:
    assert milliseconds(text) == ms


@pytest.mark.parametrize("text", ["fast", "10m", "1.2.3ms", "-5ms", ""])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(TopologyError, match=f"'{text}' is no time"):
        milliseconds(text)


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({}, Shape()),
        ({"delay": "100ms", "bw": 1}, Shape(delay=100.0, rate=1.0)),
        ({"bw": 2000, "loss": 10, "use_htb": True}, Shape(rate=2000.0, loss=10.0)),
        ({"delay": "5ms", "jitter": "1ms"}, Shape(delay=5.0, jitter=1.0)),
        ({"bw": 10, "max_queue_size": 100}, Shape(rate=10.0, queue=151_400)),
        ({"bw": 8, "latency_ms": 50, "use_tbf": True}, Shape(rate=8.0, queue=50_000)),
        ({"bw": None, "delay": None, "loss": 0, "use_hfsc": False, "gro": False, "txo": True}, Shape()),
    ],
)
def test_parameters_of_a_link_become_a_shape(params: dict[str, Any], shape: Shape) -> None:
    assert tc_params.shape(params) == shape


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"use_hfsc": True}, "use_hfsc=True is not supported"),
        ({"enable_ecn": True}, "enable_ecn=True"),
        ({"enable_red": True}, "enable_red=True"),
        ({"speedup": 10}, "speedup=10.*params1 and params2"),
        ({"txo": False}, "txo=False"),
        ({"gro": True}, "gro=True"),
        ({"max_queue_size": 10}, "give bw as well"),
        ({"bw": 1, "max_queue_size": 10, "latency_ms": 5}, "say the same"),
        ({"bw": "fast"}, "bw is a number"),
        ({"delay": "soon"}, "'soon' is no time"),
    ],
)
def test_what_a_link_cannot_have_is_named(params: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        tc_params.shape(params)


@pytest.mark.parametrize("params", [{"bw": -1}, {"loss": 101}])
def test_absurd_values_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ShaperError):
        tc_params.shape(params)


def test_the_documentation_has_every_parameter_and_what_becomes_of_it() -> None:
    assert tc_params.table() in ROOT.joinpath("docs", "reference", "containernet.md").read_text()
