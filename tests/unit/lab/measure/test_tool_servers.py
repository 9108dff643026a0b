"""The servers of measuring tools, on endpoints that answer from a script."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.errors import MeasureError
from lab.measure import tool_servers
from tests.paths import FIXTURES
from tests.unit.lab.measure.scripted import endpoint, ran

LISTENING = (FIXTURES / "ss-listening.txt").read_text()


def test_open_ports() -> None:
    assert tool_servers.open_ports(LISTENING) == {12865, 5201}
    assert tool_servers.open_ports("LISTEN 0 5 [::1]:6783 [::]:*\nLISTEN 0 5 127.0.0.1:80 0.0.0.0:*\n") == {
        6783,
        80,
    }
    assert tool_servers.open_ports("") == set()


async def test_servers_that_listen_are_left_alone() -> None:
    one = endpoint(lambda argv: (0, LISTENING))
    await tool_servers.serve(one)
    assert ran(one) == ["docker exec c ss -Hltn"] * 2


async def test_servers_are_started_once_and_waited_for() -> None:
    # given an endpoint whose ports open at the third look
    looks = 0

    def answer(argv: Sequence[str]) -> tuple[int, str]:
        nonlocal looks
        looks += "ss" in argv
        return 0, LISTENING if looks > 3 else ""

    one = endpoint(answer)
    await tool_servers.serve(one)
    started = [line for line in ran(one) if " -d " in line]
    assert started == ["docker exec -d c iperf3 -s -J", "docker exec -d c netserver -D"]


async def test_a_server_that_never_listens_is_named() -> None:
    one = endpoint(lambda argv: (0, LISTENING.splitlines()[0]))
    with pytest.raises(MeasureError, match=r"iperf3 \(port 5201\): did not listen on AMS/c after 0.1 s"):
        await tool_servers.serve(one, deadline=0.1)


async def test_after_a_failure_everything_is_ended_and_started_again() -> None:
    one = endpoint(lambda argv: (0, LISTENING))
    await tool_servers.restart_all([one])
    assert ran(one)[0] == "docker exec c pkill -KILL -x iperf3|netperf|netserver|stress-ng"
