"""Packets between the endpoints of every pair, on endpoints that answer from a script."""

from __future__ import annotations

import os
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lab.errors import OverlayError
from lab.hosts import command
from lab.hosts.host import Endpoint
from lab.measure import reachability
from tests.unit.fakes import FakeHost
from tests.unit.lab.measure.scripted import endpoint, ran


def fed(one: Endpoint) -> list[str]:
    host = one.host
    assert isinstance(host, FakeHost)
    return host.fed


def answers(*heard: str) -> Any:
    """Endpoints of three hosts, of which each hears these addresses."""
    ends = {name: endpoint(lambda argv: (0, "\n".join(heard)), name) for name in ("A", "BB", "CCC")}
    for one in ends.values():
        one.host.silent = True  # type: ignore[attr-defined]
    return ends


async def test_every_endpoint_is_entered_once_and_every_pair_asked_once() -> None:
    ends = answers("192.0.2.2", "192.0.2.3")
    await reachability.every_pair(ends, combinations(ends, 2))
    asked = [re.findall(r"echo (\S+)\)", text) for one in ends.values() for text in fed(one)]
    assert [len(ran(one)) for one in ends.values()] == [1, 1, 0]
    assert asked == [["192.0.2.2", "192.0.2.3"], ["192.0.2.3"]]


async def test_silent_pairs_are_named() -> None:
    ends = answers("192.0.2.3")
    with pytest.raises(OverlayError, match="fake: no packet passed between A–BB within 1 s"):
        await reachability.every_pair(ends, combinations(ends, 2), deadline=1.0)


@pytest.mark.parametrize("times", [1, 2])
async def test_an_overlay_is_refreshed_while_pairs_stay_silent(times: int) -> None:
    ends, refreshed = answers("192.0.2.3"), []

    async def refresh() -> None:
        refreshed.append(len(ran(ends["A"])))
        if len(refreshed) == times:
            ends.update(answers("192.0.2.2", "192.0.2.3"))

    await reachability.every_pair(ends, combinations(list(ends), 2), refresh=refresh)
    assert refreshed == [1, 2][:times]
    assert [len(ran(one)) for one in ends.values()] == [1, 0, 0], "only the silent pair is asked again"


async def test_an_overlay_whose_endpoints_answer_is_not_refreshed() -> None:
    async def refresh() -> None:
        raise AssertionError

    ends = answers("192.0.2.2", "192.0.2.3")
    await reachability.every_pair(ends, combinations(ends, 2), refresh=refresh)


async def test_addresses_are_asked_until_they_answer_and_silent_ones_not_printed(tmp_path: Path) -> None:
    """The script itself, with a `ping` that hears one address never, and another at the second try."""
    ping = tmp_path / "ping"
    ping.write_text(
        "#!/bin/sh\nfor to; do :; done\n"
        f'[ "$to" != 192.0.2.2 ] || exit 1\n[ -e {tmp_path}/$to ] || {{ : > {tmp_path}/$to; exit 1; }}\n'
    )
    ping.chmod(0o755)
    script = reachability.ping_script(["192.0.2.1", "192.0.2.2", "192.0.2.3"], 2.0)
    said = await command.run(["sh"], stdin=script.encode(), env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert sorted(said.stdout.split()) == ["192.0.2.1", "192.0.2.3"]
