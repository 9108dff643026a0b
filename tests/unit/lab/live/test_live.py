"""Labs to work in, without any: doors into hosts, what pings say, what ps prints, Python's facade."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from lab.emulation.ownership import Process
from lab.emulation.registry import HostRecord, OverlayRecord, Record
from lab.errors import HostError, LabError, UnknownName
from lab.live import capture, logs
from lab.live.enter import door
from lab.live.ping_all import parse
from lab.util.event_loop import EventLoopThread
from tests.paths import ROOT

ME = Process.of(os.getpid())


def record(**hosts: Process) -> Record:
    """A lab of these hosts, each with an endpoint on Flannel, on a link between the first two."""
    made = [
        HostRecord(name, n + 1, name, (f"192.168.1.{n + 1}",), f"lab-x-{name}", "id", p.pid, p.started)
        for n, (name, p) in enumerate(hosts.items())
    ]
    ends = tuple(
        {
            "host": h.name,
            "container": f"flannel-endpoint-{h.name}",
            "address": "10.0.0.2",
            "overlay": "flannel",
        }
        for h in made
    )
    a, b = (host.name for host in made[:2])
    link = {"name": f"{a}-{b}", "number": 7, "a": a, "b": b, "interface_a": "eth1", "interface_b": "eth2"}
    return Record(
        "x", "class", hosts=made, links=[link], overlays=[OverlayRecord("flannel", tuple(hosts), {}, ends)]
    )


def test_a_command_enters_the_host_or_goes_on_into_the_endpoint() -> None:
    lab = record(AMS=ME, PRG=ME)
    host, endpoint = (
        door(lab, "AMS").command(["ip", "addr"]),
        door(lab, "AMS/flannel").command(["ip", "addr"]),
    )
    assert host[1:3] == [str(ME.pid), str(ME.started)]
    assert host[-2:] == ["ip", "addr"]
    assert endpoint[-6:] == ["docker", "exec", "-i", "flannel-endpoint-AMS", "ip", "addr"]
    assert door(lab, "AMS/flannel-endpoint-AMS") == door(lab, "AMS/endpoint") == door(lab, "AMS/flannel")


@pytest.mark.parametrize(
    ("place", "said"), [("AMX", "did you mean 'AMS'"), ("AMS/flanel", "did you mean 'flannel'")]
)
def test_a_place_that_is_not_there_is_told_with_the_nearest(place: str, said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        door(record(AMS=ME, PRG=ME), place)


def test_a_host_that_died_cannot_be_entered() -> None:
    lab = record(AMS=Process(ME.pid, ME.started - 1), PRG=ME)
    with pytest.raises(HostError, match="AMS of lab class has died"):
        door(lab, "AMS")


def test_a_link_is_captured_at_both_its_ends_or_at_one() -> None:
    lab = record(AMS=ME, PRG=ME)
    assert [spot.interface for spot in capture.spots(lab, "AMS-PRG")] == ["7a", "7b"]
    assert capture.spots(lab, "PRG-AMS") == capture.spots(lab, "AMS-PRG")
    assert [spot.interface for spot in capture.spots(lab, "AMS-PRG", "PRG")] == ["7b"]
    assert [spot.interface for spot in capture.spots(lab, "PRG")] == ["eth2"]
    with pytest.raises(UnknownName, match="link or host 'AMS-PRX'"):
        capture.spots(lab, "AMS-PRX")
    with pytest.raises(UnknownName, match="end of link"):
        capture.spots(lab, "AMS-PRG", "BRA")


def test_logs_of_what_is_not_there() -> None:
    with pytest.raises(UnknownName, match="did you mean 'flannel'"):
        logs.commands(record(AMS=ME, PRG=ME), "flanell", 10, False)


PING = """PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data. --- 10.0.0.2 ping statistics ---
3 packets transmitted, {got} received, 33% packet loss rtt min/avg/max/mdev = 4.785/4.961/5.285/0.2 ms"""


@pytest.mark.parametrize(
    ("said", "rtt", "lost"), [(PING.format(got=2), 4.961, 1), (PING.format(got=0), None, 3), ("", None, 3)]
)
def test_what_ping_says_of_a_pair(said: str, rtt: float | None, lost: int) -> None:
    pair = parse("AMS", "PRG", said, 3)
    assert (pair.rtt_ms, pair.lost) == (rtt, lost)


async def test_the_loop_serves_where_another_one_runs() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    loop = EventLoopThread()
    assert loop.call(work()) == "lab"
    loop.stop()
    assert loop.call(work()) == "lab"
    loop.stop()


def test_what_fails_in_the_loop_is_raised_here() -> None:
    async def work() -> None:
        raise LabError("no")

    loop = EventLoopThread()
    with pytest.raises(LabError, match="no"):
        loop.call(work())
    loop.stop()


INTERRUPTED = """
import asyncio, os, signal, threading
from lab.util.event_loop import Loop
async def work():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.1)
        print("cleaned up", flush=True)
try:
    Loop().call(work())
except KeyboardInterrupt:
    print("told")
"""


def test_ctrl_c_comes_back_when_the_work_has_cleaned_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.splitlines() == ["cleaned up", "told"], done.stderr
