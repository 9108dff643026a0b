"""The contract of every overlay and mode, on real daemons and real packets.

One lab, the six-host chain; each overlay and mode that this kernel can do is installed on four of its hosts,
and every test below asks one thing of it. What cannot be had is skipped with its reason.
LAB_CONTRACT_SPECS (several, with blanks between) asks others, and LAB_CONTRACT_SITES=AMS+PRG+BRA
makes the chain shorter, for a virtual machine whose kernel can more.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from time import monotonic
from typing import Any, TypeVar

import pytest

from lab.emulation.emulation import Emulation
from lab.errors import NotObtainable, OverlayError
from lab.hosts.host import Endpoint, Host
from lab.measure.reachability import every_pair
from overlays.base import Overlay
from overlays.libnetwork.overlay import Libnetwork
from overlays.registry import parse
from topologies import linear

T = TypeVar("T")

SPECS = tuple(os.environ.get("LAB_CONTRACT_SPECS", "").split()) or (
    "underlay",
    "weave",
    "weave:mode=sleeve,encryption=on",
    "weave:mode=sleeve,mtu=0",
    "weave:mode=fastdp",
    "weave:mode=fastdp,encryption=on",
    "libnetwork:mode=kv",
    "libnetwork:mode=swarm",
    "libnetwork:mode=swarm,encryption=on",
    "flannel:backend=vxlan,directrouting=on",
    "flannel:backend=udp",
    "flannel:backend=ipip",
    "flannel:backend=wireguard",
    "tinc",
    "wireguard:mode=kernel",
    "wireguard:mode=user,topology=neighbours",
    "yggdrasil",
    "nebula:relays=on,cipher=chachapoly",
)
SITES = tuple(filter(None, os.environ.get("LAB_CONTRACT_SITES", "").split("+"))) or linear.CHAIN
#: An overlay is installed on so many of them: to the far one there are two hosts on the way.
INSTALLED = 4
#: What a host has of its own: compared before an overlay is installed and after it is gone.
INVENTORY = {
    "links": "ip -br link | sed 's/[@ ].*//' | sort",
    "addresses": "ip -br -4 addr | awk '{print $1, $3, $4}' | sed 's/@[^ ]*//' | sort",
    "routes": "ip route | sed 's/ linkdown//' | sort",
    "policy": "ip rule",
    "rules": "iptables-save | grep -e '^-A' -e '^:.* - ' | sed 's/ \\[.*//' | sort",
    "xfrm": "ip xfrm state 2>/dev/null; ip xfrm policy 2>/dev/null",
    # a daemon that starts a program is two of its name for a moment, and the second is not looked at
    "programs": "ps -eo pid=,ppid=,stat=,comm= | awk '$3 !~ /^Z/ {name[$1] = $4; parent[$1] = $2} "
    "END {for (pid in name) if (name[pid] != name[parent[pid]]) print name[pid]}' "
    "| grep -e weaver -e tincd -e etcd -e flanneld -e wireguard-go -e yggdrasil -e nebula -e '^sleep$' "
    "| sort",
    "containers": "docker ps -a --format '{{.Names}}'",
    "networks": "docker network ls --format '{{.Name}} {{.Driver}}' | sort",
    "swarm": "docker info --format '{{.Swarm.LocalNodeState}} {{.ClusterStore}}'",
    "files": "find /etc /run /usr/local /var/log/lab /var/lib -xdev -type f -not -path '/var/lib/docker/*' "
    "-not -path '*/docker/*' -not -path '*/containerd/*' -not -name '*.pid' -not -name dockerd.log | sort",
}
PAYLOAD = "LAB-PLAIN-TEXT-!"


@dataclass
class Running:
    """An overlay that runs, with an endpoint on every host."""

    loop: asyncio.Runner
    lab: Emulation
    overlay: Overlay
    before: dict[str, dict[str, list[str]]]
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    gone: bool = False

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def ping(self, a: str, b: str, *words: str) -> str:
        """What ping prints between two endpoints; its status is not looked at."""
        argv = ["ping", "-n", *words, self.endpoints[b].address]
        result = self.do(self.endpoints[a].run(argv, check=False))
        return result.stdout + result.stderr

    @property
    def hosts(self) -> list[Host]:
        return list(self.lab.hosts.values())[:INSTALLED]

    @property
    def far(self) -> str:
        """The overlay's host at the other end."""
        return self.hosts[-1].name

    @property
    def middle(self) -> Host:
        return self.hosts[len(self.hosts) // 2]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def lab(loop: asyncio.Runner, docker_daemon: None) -> Iterator[Emulation]:
    emulation = Emulation(linear.topology(SITES, rate=200.0))
    loop.run(emulation.up())
    yield emulation
    loop.run(emulation.down())


@pytest.fixture(scope="module", params=SPECS)
def running(request: pytest.FixtureRequest, loop: asyncio.Runner, lab: Emulation) -> Iterator[Running]:
    """The overlay of one specification, up on the chain; skipped with the reason where it cannot be."""
    with up(request.param, loop, lab) as now:
        yield now


@contextmanager
def up(spec: str, loop: asyncio.Runner, lab: Emulation) -> Iterator[Running]:
    """An overlay with an endpoint on each host of a lab; it is taken away at the end, if no test did."""
    overlay = obtainable(spec)
    now = Running(loop, lab, overlay, {})
    now.before = loop.run(inventory(now.hosts))
    try:
        install(loop, overlay, now.hosts, lab)
        loop.run(overlay.ready(60))
        now.endpoints = {e.host.name: e for e in loop.run(attach(overlay, now.hosts))}
        yield now
    finally:
        if not now.gone:
            loop.run(now.overlay.uninstall())


def install(loop: asyncio.Runner, overlay: Overlay, hosts: list[Host], lab: Emulation) -> None:
    try:
        loop.run(overlay.install(hosts, lab.topology))  # type: ignore[arg-type]
    except NotObtainable as error:
        pytest.skip(error.reason)


def obtainable(spec: str) -> Overlay:
    overlay = parse(spec)
    if missing := overlay.obtainable():
        pytest.skip(f"{missing.what}; {missing.remedy}")
    return overlay


async def attach(overlay: Overlay, hosts: list[Host]) -> list[Endpoint]:
    return list(await asyncio.gather(*(overlay.attach(host) for host in hosts)))


async def all_pairs(overlay: Overlay, endpoints: dict[str, Endpoint]) -> None:
    await every_pair(endpoints, combinations(endpoints, 2), 30, overlay.refresh)


#: What each host has: lists of things by kind.
Inventory = dict[str, dict[str, list[str]]]


async def inventory(hosts: list[Host]) -> Inventory:
    """What every host has, by kind."""
    script = "\n".join(f"echo '== {kind}'\n{command}" for kind, command in INVENTORY.items())

    async def of(host: Host) -> dict[str, list[str]]:
        said = (await host.run(["sh"], stdin=script.encode(), check=False)).stdout
        parts = [part.split("\n") for part in said.split("== ")[1:]]
        return {part[0]: [line for line in part[1:] if line] for part in parts}

    return dict(zip([h.name for h in hosts], await asyncio.gather(*map(of, hosts)), strict=True))


async def iperf(client: Endpoint, server: Endpoint, seconds: int) -> float:
    """TCP throughput at the receiver, Mbit/s; waits for the server by trying."""
    await server.start(["iperf3", "-s", "-1"])
    end = monotonic() + 20
    while True:
        result = await client.run(
            ["iperf3", "-J", "-t", str(seconds), "-c", server.address], check=False, timeout=seconds + 30
        )
        data = json.loads(result.stdout)
        if "error" not in data:
            return float(data["end"]["sum_received"]["bits_per_second"]) / 1e6
        assert "refused" in data["error"], data["error"]
        assert monotonic() < end, data["error"]


def test_every_endpoint_reaches_every_other(running: Running) -> None:
    running.do(all_pairs(running.overlay, running.endpoints))


def test_no_endpoint_has_a_way_out(running: Running) -> None:
    # 192.0.2.0/24 is nobody's (RFC 5737)
    argv = ["ip", "route", "get", "192.0.2.1"]
    for name, endpoint in running.endpoints.items():
        inside = running.do(endpoint.run(argv, check=False))
        outside = running.do(running.lab.hosts[name].run(argv, check=False))
        assert inside.status != 0 or outside.status != 0, inside.stdout


def test_the_mode_says_what_was_asked(running: Running) -> None:
    mode = running.do(running.overlay.mode())
    settings = running.overlay.settings
    asked = settings.get("backend") or settings.get("mode", mode["mode"])
    assert mode["mode"] == asked or asked == "auto"
    assert mode["mode"] in running.overlay.modes
    if "encryption" in settings:
        assert mode.get("encryption", "off") == settings["encryption"]


def test_the_mtu_is_exactly_the_largest_packet_that_fits(running: Running) -> None:
    mtu = int(running.do(running.overlay.mode())["mtu"])
    before = running.do(fragments(running.hosts))

    async def sent(far: str, size: int) -> str:
        argv = ["ping", "-n", "-M", "do", "-c", "2", "-i", "0.2", "-W", "2", "-s", str(size - 28)]
        result = await running.endpoints["AMS"].run([*argv, running.endpoints[far].address], check=False)
        return result.stdout + result.stderr

    async def both(size: int) -> list[str]:
        return list(await asyncio.gather(*(sent(far, size) for far in ("PRG", running.far))))

    for said in running.do(both(mtu)):
        assert " 0% packet loss" in said, said
    for said in running.do(both(mtu + 1)):
        assert "100% packet loss" in said, said
    assert running.do(fragments(running.hosts)) == before


async def fragments(hosts: list[Host]) -> list[int]:
    """How many fragments each host's kernel has made so far."""
    said = await asyncio.gather(*(host.run(["cat", "/proc/net/snmp"]) for host in hosts))
    names, values = zip(*(re.findall(r"^Ip: (.*)$", result.stdout, re.M) for result in said), strict=True)
    return [int(v.split()[n.split().index("FragCreates")]) for n, v in zip(names, values, strict=True)]


def test_a_packet_passes_every_host_on_the_way(running: Running) -> None:
    # given counters on the links of a host in the middle
    before = running.do(received(running.middle))
    # when packets go from end to end
    assert " 0% packet loss" in running.ping("AMS", running.far, "-c", "20", "-i", "0.02", "-s", "100")
    # then that host has received their bytes from both sides (a relay may put several into one datagram)
    after = running.do(received(running.middle))
    assert all(after[name] - before[name] >= 20 * 128 for name in ("eth1", "eth2"))


async def received(host: Host) -> dict[str, int]:
    shown = json.loads((await host.run(["ip", "-j", "-s", "link"])).stdout)
    return {link["ifname"]: link["stats64"]["rx"]["bytes"] for link in shown}


def test_a_hop_is_what_the_overlay_says(running: Running) -> None:
    """Either its own routers relay, each handing on to its neighbour, or the underlay routes."""
    topology = running.lab.topology
    assert topology is not None
    path, far = topology.path("AMS", running.far), topology.address(running.far)
    if running.overlay.hops == "routed underlay":
        routes = running.do(running.lab.hosts["AMS"].run(["ip", "route", "get", far]))
        assert "via 192.168.1.2" in routes.stdout
        return
    assert running.overlay.hops == "overlay"
    said = running.do(running.overlay.multihop_proof())  # type: ignore[attr-defined]
    for host, onward in list(pairwise(path))[:-1]:
        assert said[host][running.far] == onward
    routes = running.do(running.lab.hosts["AMS"].run(["ip", "route", "get", far], check=False))
    assert routes.status != 0, "an overlay that relays must not have routes over the links"


def test_tcp_survives_a_link_that_loses_one_packet_in_a_hundred(running: Running) -> None:
    shaper = running.lab.shaper
    running.do(shaper.change("AMS-PRG", loss=1.0))
    try:
        assert running.do(iperf(running.endpoints["AMS"], running.endpoints["PRG"], 2)) > 0.1
    finally:
        running.do(shaper.change("AMS-PRG", loss=0.0))


def test_what_is_encrypted_cannot_be_read_on_the_underlay(running: Running) -> None:
    # given a capture on a host in the middle
    capture = ["timeout", "10", "tcpdump", "-ni", "eth1", "-A", "-c", "40", "not", "icmp6"]
    pattern = PAYLOAD.encode().hex()

    async def both() -> str:
        end = running.endpoints[running.far].address
        argv = ["ping", "-n", "-w", "10", "-i", "0.05", "-s", "200", "-p", pattern, end]
        pings = asyncio.ensure_future(running.endpoints["AMS"].run(argv, check=False))
        try:
            return (await running.middle.run(capture, check=False)).stdout
        finally:
            pings.cancel()
            await asyncio.wait([pings])

    # when a known payload crosses it
    seen = running.do(both())
    # then it is there in the clear unless the overlay encrypts
    assert len(seen) > 1000
    assert (PAYLOAD in seen) == (not running.overlay.encrypts)


def test_installing_twice_changes_nothing(running: Running) -> None:
    before = running.do(inventory(running.hosts))
    running.do(running.overlay.install(running.hosts, running.lab.topology))  # type: ignore[arg-type]
    assert running.do(comes_to(before, running.hosts)) == before
    running.do(running.overlay.check())
    assert " 0% packet loss" in running.ping("AMS", running.far, "-c", "3", "-i", "0.2", "-W", "2")


def test_another_process_takes_it_up_as_it_runs(running: Running) -> None:
    # given an overlay object that knows nothing but the same options
    before, pids = running.do(inventory(running.hosts)), running.do(daemon_pids(running))
    other = type(running.overlay)(**running.overlay.settings)
    # when it is installed on the hosts
    running.do(other.install(running.hosts, running.lab.topology))  # type: ignore[arg-type]
    running.do(other.ready(60))
    taken = running.do(attach(other, running.hosts))
    # then everything goes on as it was, and what was there is its own
    assert {e.host.name: e for e in taken} == running.endpoints
    assert running.do(comes_to(before, running.hosts)) == before
    assert running.do(daemon_pids(running)) == pids
    assert running.do(other.mode()) == running.do(running.overlay.mode())
    # and the tests that follow, down to uninstalling, are done by it
    running.overlay = other


async def comes_to(wanted: Inventory, hosts: list[Host]) -> Inventory:
    """What the hosts have once it is as wanted: what was started to install it may take a moment to end."""
    for _ in range(20):
        if (found := await inventory(hosts)) == wanted:
            break
    return found


async def daemon_pids(running: Running) -> list[str]:
    """The process ids of all daemons, Docker's among them where there is one."""
    files = [(host, file) for host in running.hosts for file in running.overlay.pidfiles(host).values()]
    files += [(host, "/var/run/docker.pid") for host in running.hosts if (await host.facts()).docker]
    return [(await host.run(["cat", file])).stdout for host, file in files]


def test_with_other_options_it_is_not_taken_up(running: Running) -> None:
    if "subnet" not in running.overlay.settings:
        return  # the control has no options
    before = running.do(inventory(running.hosts))
    other = type(running.overlay)(**{**running.overlay.settings, "subnet": "10.77.0.0/16"})
    with pytest.raises(OverlayError, match=r"runs on AMS with subnet=10\..*, and subnet=10\.77"):
        running.do(other.install(running.hosts, running.lab.topology))  # type: ignore[arg-type]
    running.do(other.uninstall())
    assert running.do(comes_to(before, running.hosts)) == before


def test_a_killed_daemon_is_noticed_and_named(running: Running) -> None:
    host = running.hosts[1]
    names = running.overlay.daemons(host)
    if not names:
        return  # nothing that the lab started; Docker itself is checked by its answer
    pid, dead = f"$(cat /run/lab/daemons/{names[0]}.pid)", f"{names[0]} on {host.name} no longer runs"

    async def kill() -> float:
        watching = asyncio.ensure_future(running.overlay.watch())
        await asyncio.sleep(0.5)
        await host.run(["sh"], stdin=f"kill -9 {pid}".encode())
        start = monotonic()
        with pytest.raises(OverlayError, match=f"{dead}; the end of its log: "):
            await asyncio.wait_for(watching, 30)
        return monotonic() - start

    assert running.do(kill()) < 5.0
    # nor is the overlay ready, whose words say which host is not, or what its peers say of it
    peers = rf"{host.name} is not|no connection to {host.name}|no tunnel to .*{host.name}"
    with pytest.raises(OverlayError, match=rf"{dead}|{peers}"):
        running.do(running.overlay.ready(6))
    # installing once more mends it
    running.do(running.overlay.install(running.hosts, running.lab.topology))  # type: ignore[arg-type]
    running.do(running.overlay.ready(60))
    running.do(running.overlay.check())


def test_logs_of_every_daemon_can_be_had(running: Running) -> None:
    logs = running.do(running.overlay.logs())
    wanted = {f"{h.name}/{name}.log" for h in running.hosts for name in running.overlay.daemons(h)}
    assert set(logs) == wanted
    assert all(logs[name] for name in wanted if "etcd" not in name)


def test_a_host_leaves_and_joins_again(running: Running) -> None:
    overlay, host = running.overlay, running.hosts[-1]
    running.do(overlay.leave(host))
    del running.endpoints[host.name]
    assert running.do(inventory([host]))[host.name] == running.before[host.name]
    running.do(all_pairs(overlay, running.endpoints))
    running.do(overlay.join(host))
    running.do(overlay.ready(60))
    running.endpoints[host.name] = running.do(overlay.attach(host))
    running.do(all_pairs(overlay, running.endpoints))


def test_uninstalling_leaves_every_host_as_it_was(running: Running) -> None:
    running.do(running.overlay.uninstall())
    running.gone = True
    after = running.do(inventory(running.hosts))
    for host, kinds in running.before.items():
        assert after[host] == kinds, host


@pytest.mark.parametrize(
    ("one", "other", "third"), [("libnetwork:mode=kv", "tinc", "flannel"), ("flannel", "weave", None)]
)
def test_two_overlays_at_once_do_not_disturb_each_other(
    loop: asyncio.Runner, lab: Emulation, one: str, other: str, third: str | None
) -> None:
    first, second = obtainable(one), obtainable(other)
    hosts: list[Host] = list(lab.hosts.values())[:2]
    before = loop.run(inventory(hosts))
    loop.run(first.install(hosts, lab.topology))  # type: ignore[arg-type]
    try:
        loop.run(first.ready(60))
        own = {e.host.name: e for e in loop.run(attach(first, hosts))}
        between = loop.run(inventory(hosts))
        loop.run(second.install(hosts, lab.topology))  # type: ignore[arg-type]
        loop.run(second.ready(60))
        others = {e.host.name: e for e in loop.run(attach(second, hosts))}
        loop.run(all_pairs(first, own))
        loop.run(all_pairs(second, others))
        # an overlay that would end the other's endpoints refuses and says whose they are
        with pytest.raises(OverlayError, match="would end the endpoints of another overlay"):
            loop.run(first.uninstall())
        if third:
            with pytest.raises(OverlayError, match="would end the endpoints of another overlay"):
                loop.run(obtainable(third).install(hosts, lab.topology))  # type: ignore[arg-type]
        loop.run(second.uninstall())
        assert loop.run(inventory(hosts)) == between
        loop.run(all_pairs(first, own))
    finally:
        loop.run(second.uninstall())
        loop.run(first.uninstall())
    assert loop.run(inventory(hosts)) == before


#: What takes a host away from the others, by mode, and what is said of it then.
BLOWS = {
    "kv": (
        "PRG",
        "start-stop-daemon --stop --retry 3 --pidfile /run/lab/daemons/etcd-libnetwork.pid",
        "etcd-libnetwork on PRG no longer runs",
    ),
    "swarm": ("AMS", "docker swarm leave --force", "AMS: the cluster did not|1 nodes are not ready"),
}


@pytest.fixture(scope="class", params=BLOWS)
def networks(request: pytest.FixtureRequest, loop: asyncio.Runner, lab: Emulation) -> Iterator[Libnetwork]:
    overlay = Libnetwork(mode=request.param)
    loop.run(overlay.install(list(lab.hosts.values())[:3], lab.topology))  # type: ignore[arg-type]
    try:
        loop.run(overlay.ready(60))
        yield overlay
    finally:
        loop.run(overlay.uninstall())


class TestNetworksOfDocker:
    """One installation for each mode: the last test spoils it."""

    def test_networks_side_by_side_are_isolated(self, loop: asyncio.Runner, networks: Libnetwork) -> None:
        loop.run(networks.add_network("second", "10.51.0.0/16"))

        async def endpoints(network: str) -> list[Endpoint]:
            return [await networks.attach(host, name=network, network=network) for host in networks.hosts[:2]]

        async def reaches(here: Endpoint, there: Endpoint) -> bool:
            argv = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", there.address]
            return (await here.run(argv, check=False)).status == 0

        one, two = loop.run(endpoints("lab")), loop.run(endpoints("second"))
        # each network reaches its own far end, and not the other's
        assert loop.run(reaches(one[0], one[1]))
        assert loop.run(reaches(two[0], two[1]))
        assert not loop.run(reaches(one[0], two[1]))
        assert not loop.run(reaches(two[0], one[1]))

    def test_ready_fails_with_the_overlays_own_words(
        self, loop: asyncio.Runner, lab: Emulation, networks: Libnetwork
    ) -> None:
        where, blow, words = BLOWS[networks.settings["mode"]]
        loop.run(lab.hosts[where].run(["sh", "-e"], stdin=blow.encode()))
        with pytest.raises(OverlayError, match=words):
            loop.run(networks.ready(3))


def test_plain_routes_carry_flannel_between_two_hosts(loop: asyncio.Runner, lab: Emulation) -> None:
    """The backend host-gw has no hops, so it runs where both hosts are on one link."""
    overlay, hosts = obtainable("flannel:backend=host-gw"), list(lab.hosts.values())[:2]
    before = loop.run(inventory(hosts))
    try:
        loop.run(overlay.install(hosts, lab.topology))  # type: ignore[arg-type]
        loop.run(overlay.ready(60))
        loop.run(all_pairs(overlay, {e.host.name: e for e in loop.run(attach(overlay, list(hosts)))}))
        assert loop.run(overlay.mode())["mtu"] == "1500"
    finally:
        loop.run(overlay.uninstall())
    assert loop.run(inventory(hosts)) == before


def test_plain_routes_over_hops_are_refused(loop: asyncio.Runner, lab: Emulation) -> None:
    overlay = obtainable("flannel:backend=host-gw")
    with pytest.raises(OverlayError, match="needs every host on one link"):
        loop.run(overlay.install(list(lab.hosts.values()), lab.topology))  # type: ignore[arg-type]


def test_hosts_that_pick_the_same_subnet_of_flannel_pick_anew(loop: asyncio.Runner, lab: Emulation) -> None:
    """Of seven subnets six hosts take one each at the same moment: nearly always some pick the same."""
    overlay = obtainable("flannel:subnet=10.100.0.0/21")
    hosts = list(lab.hosts.values())
    try:
        install(loop, overlay, hosts, lab)
        loop.run(overlay.ready(60))
        attached = loop.run(attach(overlay, hosts))
        loop.run(all_pairs(overlay, {e.host.name: e for e in attached}))
        assert len({e.address.rsplit(".", 1)[0] for e in attached}) == len(hosts)
    finally:
        loop.run(overlay.uninstall())
