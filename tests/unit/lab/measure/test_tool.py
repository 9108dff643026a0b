"""Servers, reachability and running a tool, on endpoints that answer from a script."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HostTimeout, MeasureError, OverlayError
from lab.hosts import command
from lab.hosts.host import Endpoint, Result
from lab.measure import reachability, tool, tool_servers
from tests.paths import FIXTURES
from tests.unit.fakes import FakeHost

LISTENING = (FIXTURES / "ss-listening.txt").read_text()


def endpoint(answer: Any, name: str = "AMS") -> Endpoint:
    return Endpoint(FakeHost(name, answer), "c", f"192.0.2.{len(name)}", overlay="fake")  # type: ignore[arg-type]


def ran(one: Endpoint) -> list[str]:
    host = one.host
    assert isinstance(host, FakeHost)
    return [" ".join(argv) for argv in host.ran]


def fed(one: Endpoint) -> list[str]:
    host = one.host
    assert isinstance(host, FakeHost)
    return host.fed


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


async def test_a_tool_has_its_deadline_inside_the_endpoint() -> None:
    one = endpoint(lambda argv: (0, "out"))
    assert (await tool.execute(one, ["netperf"], 1.0)).stdout == "out"
    assert ran(one) == ["docker exec c timeout -k 2 21 netperf"]


async def test_a_tool_that_is_not_there_is_named_with_the_remedy() -> None:
    class Lacking(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            words = "timeout: failed to run command 'netperf': No such file or directory\n"
            return Result(tuple(argv), 127, "", words, 0.0)

    one = Endpoint(Lacking("AMS"), "c", "192.0.2.1")  # type: ignore[arg-type]
    with pytest.raises(MeasureError, match=r"netperf: cannot be run on AMS/c: .*No such file") as caught:
        await tool.execute(one, ["netperf", "-l", "1"], 1.0)
    assert "lab/gtsperf" in str(caught.value)
    assert caught.value.raw.startswith("timeout: failed to run")


async def test_a_tool_that_hangs_is_named_with_what_it_printed() -> None:
    class Hanging(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            return Result(tuple(argv), 124, "half of it", "", 21.0)

    class Lost(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            raise HostTimeout("AMS: no end")

    for kind, raw in ((Hanging, "half of it\n"), (Lost, "")):
        one = Endpoint(kind("AMS"), "c", "192.0.2.1")  # type: ignore[arg-type]
        with pytest.raises(MeasureError, match="iperf3: had not ended after 21 s on AMS/c") as caught:
            await tool.execute(one, ["iperf3", "-c"], 1.0)
        assert caught.value.raw == raw
        assert caught.value.argv == ("iperf3", "-c")


def test_text_of_a_failure_has_both_streams() -> None:
    assert tool.output(Result((), 1, "out\n", "err\n", 0)) == "out\nerr\n"
