"""Weave's fast datapath, with real routers, on a kernel that has Open vSwitch.

    python tests/kernels/run.py env LAB_WEAVER=… .venv/bin/python -m pytest -sv \\
        -p no:cacheprovider tests/kernels/test_fastdp.py

Three hosts in a line are namespaces, as there is no Docker in that kernel; the overlay's own
code installs the routers, reads their status, relaunches them and takes them off again.
Figures are printed for the record: one processor, so only their ratio says something.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from lab.hosts.daemons import PIDS
from lab.topology import Topology
from overlays.weave import router
from overlays.weave.overlay import Weave
from overlays.weave.status import parse
from tests.kernels.namespaces import NamespaceHost, wire
from topologies import linear

NAMES = ("AMS", "PRG", "BRA")
pytestmark = pytest.mark.timeout(900)


def say(*words: object) -> None:
    """A line for the record."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


class Mesh:
    """Three hosts, their links, the overlay, and an endpoint on each, which is a namespace."""

    def __init__(self, overlay: Weave) -> None:
        self.loop = asyncio.Runner()
        self.topology: Topology = linear.topology(NAMES)
        self.hosts = {
            h.name: NamespaceHost(h.name, h.site, self.topology.addresses(h.name))
            for h in self.topology.hosts
        }
        while not all(h.ready() for h in self.hosts.values()):
            sleep(0.1)
        for argv in wire(self.topology, self.hosts):
            subprocess.run(argv, check=True)
        self.overlay = overlay

    def up(self) -> None:
        self.loop.run(self.overlay.install(list(self.hosts.values()), self.topology))
        self.loop.run(self.overlay.ready(120))
        for number, host in enumerate(self.hosts.values(), start=1):
            self.loop.run(self._endpoint(host, f"10.32.0.{number}"))

    async def _endpoint(self, host: NamespaceHost, address: str) -> None:
        mtu = str(self.overlay.mtu)
        await host.run(["ip", "netns", "add", "endpoint"])
        add = ["ip", "link", "add", "out", "mtu", mtu, "type", "veth", "peer", "name", "eth0", "mtu", mtu]
        await host.run([*add, "netns", "endpoint"])
        await host.run(["ip", "link", "set", "out", "master", "weave", "up"])
        await host.run(["ip", "-n", "endpoint", "addr", "add", f"{address}/12", "dev", "eth0"])
        await host.run(["ip", "-n", "endpoint", "link", "set", "eth0", "up"])
        # as the router's plugin does: the router reads some packets before a checksum is filled in
        await host.run(["ip", "netns", "exec", "endpoint", "ethtool", "-K", "eth0", "tx", "off"])

    def inside(self, name: str, *argv: str, check: bool = True) -> str:
        """What a command in an endpoint printed."""
        full = ["ip", "netns", "exec", "endpoint", *argv]
        return self.loop.run(self.hosts[name].run(full, check=check, timeout=120)).stdout

    def tcp(self, server: str, seconds: int = 6) -> float:
        """TCP from the first host, Mbit/s at the receiver; 0 where not even a connection comes about."""
        number = NAMES.index(server) + 1
        self.inside(server, "iperf3", "-s", "-1", "-D")
        sleep(2)  # the daemon of iperf3 says nothing when it listens
        words = ["-J", "--connect-timeout", "8000", "-t", str(seconds), "-c", f"10.32.0.{number}"]
        said = json.loads(self.inside("AMS", "timeout", "60", "iperf3", *words, check=False) or "{}")
        if "error" in said or not said:
            say("iperf3:", said.get("error", "had not ended after 60 s"))
            return 0.0
        return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6

    def modes(self) -> dict[str, set[str]]:
        reports = self.loop.run(self.overlay.report())
        return {name: {c.mode for c in parse(report).connections} for name, report in reports.items()}

    def pids(self) -> list[str]:
        """The routers' process ids."""
        file = f"{PIDS}/weaver.pid"
        return [self.loop.run(host.run(["cat", file])).stdout for host in self.hosts.values()]

    def down(self) -> None:
        self.loop.run(self.overlay.uninstall())
        for host in self.hosts.values():
            host.end()
        self.loop.close()


@pytest.fixture
def mesh(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mesh]:
    if router.program() is None:
        pytest.skip(f"no Weave router's program is here; {router.REMEDY}")
    monkeypatch.setenv("PATH", f"/run/bin:{os.environ['PATH']}")
    built = Mesh(Weave(mode="fastdp", encryption=request.param))
    try:
        built.up()
        yield built
    finally:
        built.down()


@pytest.mark.parametrize("mesh", ["off", "on"], indirect=True)
def test_the_fast_datapath(mesh: Mesh) -> None:
    # given a mesh in which every connection is established in fastdp
    encrypted = mesh.overlay.settings["encryption"]
    mode = dict(mesh.loop.run(mesh.overlay.mode()))
    say("mode:", mode)
    assert mode["mode"] == "fastdp"
    assert mode["encryption"] == encrypted
    assert "link kind" not in mode, "this kernel has dummy, so the program is as it was"
    # then all ends reach each other, the far one through the router in the middle
    assert " 0% packet loss" in mesh.inside("AMS", "ping", "-c", "5", "-W", "5", "10.32.0.2", check=False)
    assert " 0% packet loss" in mesh.inside("AMS", "ping", "-c", "5", "-W", "5", "10.32.0.3", check=False)
    assert mesh.loop.run(mesh.overlay.multihop_proof())["AMS"] == {"BRA": "PRG"}
    # and the MTU is exact
    fits, long = str(mesh.overlay.mtu - 28), str(mesh.overlay.mtu - 27)
    assert " 0% packet loss" in mesh.inside(
        "AMS", "ping", "-Mdo", "-c2", "-W5", "-s", fits, "10.32.0.3", check=False
    )
    assert "100% packet loss" in mesh.inside(
        "AMS", "ping", "-Mdo", "-c1", "-W5", "-s", long, "10.32.0.3", check=False
    )
    # and the datapath's counters are read around a sample, over one hop and over two
    moved: dict[str, dict[str, int]] = {}
    rates: dict[str, float] = {}
    for server in NAMES[1:]:
        before = mesh.loop.run(mesh.overlay.counters())
        rates[server] = mesh.tcp(server)
        after = mesh.loop.run(mesh.overlay.counters())
        moved[server] = {key: after[key] - before.get(key, 0) for key in after}
        say(f"TCP over {NAMES.index(server)} hop(s): {rates[server]:.1f} Mbit/s; lookups {moved[server]}")
    # over one hop the kernel's flows carry the packets; over two, those that are relayed miss them
    assert min(rates.values()) > 0
    assert moved["PRG"]["PRG hit"] > 100 * moved["PRG"]["PRG missed"]
    assert moved["BRA"]["PRG missed"] > 100 * moved["BRA"]["PRG hit"]


@pytest.mark.parametrize("mesh", ["off"], indirect=True)
def test_a_silent_fall_back_is_caught_and_mended(mesh: Mesh) -> None:
    # given a mesh in fastdp, whose kernel path between two hosts is cut both ways
    assert mesh.loop.run(mesh.overlay.mode())["mode"] == "fastdp"
    cut = [[way, "-p", "udp", "--dport", "6784", "-j", "DROP"] for way in ("INPUT", "OUTPUT")]
    for rule in cut:
        mesh.loop.run(mesh.hosts["AMS"].run(["iptables", "-I", *rule]))
    # when the heartbeat has been silent for a minute
    start, mode = monotonic(), {"connections": ""}
    while "192.168.1.1 sleeve" not in mode["connections"] and monotonic() - start < 180:
        mode = dict(mesh.loop.run(mesh.overlay.mode()))
        sleep(2)
    # then the mode tells, with the connections, while packets still pass
    say(f"after {monotonic() - start:.0f} s: {mode}")
    assert mode["mode"] == "fastdp+sleeve"
    assert "AMS→192.168.1.2 sleeve" in mode["connections"]
    assert " 0% packet loss" in mesh.inside("AMS", "ping", "-c", "3", "-W", "5", "10.32.0.2", check=False)
    # and once the cause is gone, routers relaunched under their endpoints are back in fastdp
    for rule in cut:
        mesh.loop.run(mesh.hosts["AMS"].run(["iptables", "-D", *rule]))
    mesh.loop.run(mesh.overlay.relaunch())
    assert mesh.loop.run(mesh.overlay.mode())["mode"] == "fastdp"
    assert " 0% packet loss" in mesh.inside("AMS", "ping", "-c", "3", "-W", "9", "10.32.0.3", check=False)


@pytest.mark.parametrize("mesh", ["on"], indirect=True)
def test_another_process_takes_the_routers_up_with_their_password(mesh: Mesh) -> None:
    # given routers with a password that nobody but they has
    hosts = list(mesh.hosts.values())
    before = mesh.pids()
    other = Weave(mode="fastdp", encryption="on")
    # when an object that knows no more than the options is installed
    mesh.loop.run(other.install(hosts, mesh.topology))
    mesh.loop.run(other.ready(120))
    # then the routers go on
    assert mesh.pids() == before
    # and one that is started anew by it gets along with them; `ready` may start an end anew as well, to which
    # the middle's gossip did not tell the way to the other end
    mesh.overlay = other
    mesh.loop.run(hosts[1].stop("weaver"))
    mesh.loop.run(other.install(hosts, mesh.topology))
    mesh.loop.run(other.ready(120))
    assert mesh.pids()[1] != before[1]
    assert " 0% packet loss" in mesh.inside("AMS", "ping", "-c", "3", "-W", "9", "10.32.0.3", check=False)
    assert mesh.loop.run(other.mode())["encryption"] == "on"
