"""Mininet's calls, as far as they can be told without root."""

from __future__ import annotations

import pytest

from lab.emulation.network import enter, milliseconds
from lab.errors import TopologyError


@pytest.mark.parametrize(
    ("text", "ms"), [("10ms", 10.0), ("0.5s", 500.0), ("250us", 0.25), (7, 7.0), (" 1.5 ms ", 1.5)]
)
def test_times_as_mininet_writes_them(text: str | float, ms: float) -> None:
    assert milliseconds(text) == ms


def test_what_is_no_time_is_named() -> None:
    with pytest.raises(TopologyError, match="'fast' is no time"):
        milliseconds("fast")


def test_a_shell_enters_only_the_network_of_a_container() -> None:
    assert enter(["mnexec", "-cdn", "env", "bash"], 42) == [
        "setsid",
        "nsenter",
        "-t",
        "42",
        "-n",
        "--",
        "env",
        "bash",
    ]
    assert enter(["mnexec", "-da", "42", "ping", "x"], 42)[-2:] == ["ping", "x"]
