"""Pings between all: the script is run by a shell, and what ping prints is its stand-in's."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.live.ping_all import Pair, links
from tests.unit.here import Here

PING = """PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.

--- 10.0.0.2 ping statistics ---
{sent} packets transmitted, {got} received, {lost:g}% packet loss, time 2003ms
{times}"""
TIMES = "rtt min/avg/max/mdev = 4.785/4.961/5.285/0.2 ms"


@pytest.mark.parametrize(
    ("count", "printed", "rtt", "lost"),
    [
        (3, PING.format(sent=3, got=3, lost=0, times=TIMES), 4.961, 0),
        (3, PING.format(sent=3, got=2, lost=33.3333, times=TIMES), 4.961, 1),
        (700, PING.format(sent=700, got=699, lost=0.142857, times=TIMES), 4.961, 1),
        (3, PING.format(sent=3, got=0, lost=100, times=""), None, 3),
        (3, "", None, 3),
    ],
)
async def test_what_ping_says_of_every_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, printed: str, rtt: float | None, lost: int
) -> None:
    # given a ping that prints this for one address, and nothing for another
    (tmp_path / "printed").write_text(printed)
    ping = tmp_path / "ping"
    ping.write_text(f'#!/bin/sh\nfor last; do :; done\n[ "$last" = 10.0.0.2 ] && cat {tmp_path}/printed\n')
    ping.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ends = {"PRG": "10.0.0.2", "BRA": "10.0.0.3"}
    lab: Any = SimpleNamespace(
        hosts={"AMS": Here("AMS")},
        links=[SimpleNamespace(a="AMS", b=b, address_b=address) for b, address in ends.items()],
    )
    assert await links(lab, count) == [
        Pair("AMS", "PRG", rtt, count, lost),
        Pair("AMS", "BRA", None, count, count),
    ]
