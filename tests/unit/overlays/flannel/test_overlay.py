"""Flannel: leases that drive Docker, and a flanneld whose subnet another one took meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.daemons import PIDS
from lab.hosts.host import HostFacts, Result
from overlays.common.etcd import Etcd
from overlays.flannel.overlay import (
    AGAIN,
    LEASED_OR_ENDED,
    Flannel,
)
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")
LEASE = "FLANNEL_SUBNET=10.100.7.1/24\nFLANNEL_MTU=1450\n"
TAKEN = "Error registering network: failed to acquire lease: subnet already exists"


class Flanneld(FakeHost):
    """A host whose flanneld ends so many times with these words, and then has a lease."""

    def __init__(self, ends: int, words: str = TAKEN) -> None:
        super().__init__("AMS", self.answers)
        self.ends, self.words, self.starts = ends, words, 0

    def answers(self, argv: Sequence[str]) -> tuple[int, str]:
        if argv[0] == "tail":
            return 0, self.words
        self.starts += 1
        return (0, LEASE) if self.starts > self.ends else (1, "")

    async def alive(self, name: str) -> bool:
        return False


def flannel(host: FakeHost) -> Flannel:
    made = Flannel(backend="vxlan", directrouting="off", subnet="10.100.0.0/16")
    made.topology, made.hosts = CHAIN, (host,)
    made._store = Etcd("flannel", host, "192.0.2.1", 2389)
    return made


@pytest.mark.parametrize("ends", [0, 1, AGAIN])
async def test_it_is_started_again_and_picks_anew(ends: int) -> None:
    host = Flanneld(ends)
    assert (await flannel(host)._lease(host)).stdout == LEASE
    assert host.starts == ends + 1
    assert all("start-stop-daemon --start" in text for text in host.fed)


async def test_not_for_ever() -> None:
    host = Flanneld(AGAIN + 1)
    with pytest.raises(OverlayError, match=r"flanneld on AMS no longer runs.*subnet already exists"):
        await flannel(host)._lease(host)


async def test_one_that_ends_for_another_reason_is_left() -> None:
    host = Flanneld(1, "failed to find an interface")
    with pytest.raises(OverlayError, match="failed to find an interface"):
        await flannel(host)._lease(host)
    assert host.starts == 1


def test_a_daemon_that_has_ended_is_not_waited_for() -> None:
    assert f"--status --pidfile {PIDS}/flanneld.pid" in LEASED_OR_ENDED


@pytest.mark.parametrize(("backend", "tunnel"), [("udp", "flannel0"), ("wireguard", "flannel-wg")])
async def test_one_route_leads_to_all_hosts_where_the_tunnel_knows_who_has_what(
    backend: str, tunnel: str
) -> None:
    shown = ""
    host = FakeHost("AMS", lambda argv: (0, shown))
    made = flannel(host)
    made.settings = {**made.settings, "backend": backend}
    assert await made._lacking(host) == "no route into its tunnel"
    shown = f"10.100.0.0/16 dev {tunnel} scope link\n"
    assert await made._lacking(host) == ""


class TestFlannel:
    def test_the_backend_is_always_said(self) -> None:
        for backend in Flannel.modes:
            assert Flannel(backend=backend).configuration()["Backend"]["Type"] == backend


@pytest.mark.parametrize(
    ("err", "said"), [("curl: refused\n", "curl: refused"), ("", "flanneld does not answer yet")]
)
async def test_a_flanneld_that_does_not_answer_yet_is_waited_for(err: str, said: str) -> None:
    class Host(FakeHost):
        async def run(self, argv: Sequence[str], **_: Any) -> Result:
            return Result(tuple(argv), 7, "", err, 0.0)

    host = Host("AMS")
    assert await flannel(host)._lacking(host) == said


@pytest.mark.parametrize("backend", ["host-gw", "vxlan"])
def test_plain_routes_need_all_hosts_on_one_link(backend: str) -> None:
    made = Flannel(backend=backend)
    hosts: Any = [FakeHost(host.name) for host in CHAIN.hosts]
    made._refuse_hops(hosts[:2], CHAIN)
    if backend == "vxlan":
        made._refuse_hops(hosts, CHAIN)
        return
    with pytest.raises(OverlayError, match="needs every host on one link, and AMS shares none with BRA"):
        made._refuse_hops(hosts[:3], CHAIN)
    # BRA is known by its address on the other link
    with pytest.raises(OverlayError, match=r"BRA shares none with LJU|LJU shares none with BRA"):
        made._refuse_hops(hosts[2:4], CHAIN)


@pytest.mark.parametrize(
    ("backend", "lacking"),
    [
        ("vxlan", ["the link kind 'vxlan' in its kernel", "bridges that iptables sees"]),
        ("udp", ["the device /dev/net/tun", "bridges that iptables sees"]),
        ("host-gw", ["bridges that iptables sees"]),
        ("wireguard", ["the link kind 'wireguard' in its kernel", "bridges that iptables sees"]),
    ],
)
def test_what_a_host_lacks(backend: str, lacking: list[str]) -> None:
    made = Flannel(backend=backend)
    bare = HostFacts("6.1", "x86_64", (20, 10))
    assert [missing.what for missing in made.prerequisites(bare)] == lacking
    kinds, features = frozenset({"vxlan", "ipip", "wireguard"}), frozenset({"tun", "bridge-nf"})
    assert not made.prerequisites(HostFacts("6.1", "x86_64", (20, 10), kinds, features=features))
    assert (made.user_space, made.encrypts) == (backend == "udp", backend == "wireguard")


async def test_a_lease_that_does_not_come_in_time_is_told() -> None:
    class Slow(Flanneld):
        async def alive(self, name: str) -> bool:
            return True

    with pytest.raises(OverlayError, match="flannel: flanneld on AMS got no lease in 30 s; see its log"):
        await flannel(Slow(1))._lease(Slow(1))


async def test_routes_that_are_missing_are_named_by_their_hosts() -> None:
    shown = "10.100.2.0/24 via 10.100.2.0 dev flannel.1\n"
    hosts: Any = [FakeHost(host.name, lambda argv: (0, shown)) for host in CHAIN.hosts[:3]]
    made = flannel(hosts[0])
    made.hosts = tuple(hosts)
    made._leases = {h.name: {"FLANNEL_SUBNET": f"10.100.{n}.1/24"} for n, h in enumerate(hosts, 1)}
    assert await made._lacking(hosts[0]) == "no route to BRA"
    assert await made._lacking(hosts[2]) == "no route to AMS"
    shown += "10.100.1.0/24 dev x\n10.100.3.0/24 dev x\n"
    assert await made._lacking(hosts[0]) == ""
