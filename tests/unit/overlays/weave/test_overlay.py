"""Weave: routers that gossip has passed by, the password of those that run, and what carries packets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.host import Host, HostFacts
from overlays import registry
from overlays.base import NO_ESP
from overlays.weave import overlay, router
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")
NAMES = [host.name for host in CHAIN.hosts]


class Mesh(overlay.Weave):
    """Routers whose connections are all up; `known` has the hosts to which each has a route."""

    def __init__(self, known: dict[str, set[str]], *, learns: bool = True) -> None:
        super().__init__()
        self.topology = CHAIN
        self.hosts = tuple(FakeHost(name) for name in NAMES)
        self.known, self.learns = known, learns
        self.down: set[str] = set()
        self.started: list[str] = []

    async def _report(self, host: Host) -> dict[str, Any] | None:
        if host.name in self.down:
            return None
        routes = [router.mac(CHAIN.host(name).number) for name in sorted(self.known[host.name])]
        up = [{"Address": f"{peer}:6783", "State": "established"} for peer in self._peers(host)]
        told = {"Connections": up, "UnicastRoutes": [{"Dest": name, "Via": name} for name in routes]}
        return {"Ready": True, "Router": {"Name": router.mac(CHAIN.host(host.name).number), **told}}

    async def check_daemon(self, host: Host, *names: str) -> None: ...

    async def _stop(self, host: Host) -> None:
        assert not self.down, f"{host.name} is stopped while {self.down} is"
        self.down.add(host.name)

    async def _launch(self, host: Host) -> None:
        for other in self.neighbours(host) if self.learns else ():
            self.known[host.name] |= self.known[other.name]
        self.started.append(host.name)
        self.down.remove(host.name)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "GOSSIP_PATIENCE", 0.01)


def knowing_all_but(**lacking: set[str]) -> dict[str, set[str]]:
    return {name: set(NAMES) - lacking.get(name, set()) for name in NAMES}


async def test_a_complete_mesh_is_left_alone() -> None:
    mesh = Mesh(knowing_all_but())
    await mesh.ready(5)
    assert mesh.started == []


async def test_the_one_beside_a_router_that_knows_more_goes_first() -> None:
    mesh = Mesh(knowing_all_but(AMS={"MIL"}, PRG={"MIL"}))
    await mesh.ready(5)
    assert mesh.started == ["PRG", "AMS"]


async def test_both_sides_of_a_chain_are_healed_one_at_a_time() -> None:
    mesh = Mesh(knowing_all_but(BRA={"AMS2"}, MIL={"AMS"}))
    await mesh.ready(5)
    assert sorted(mesh.started) == ["BRA", "MIL"]


async def test_what_nobody_knows_is_said_and_no_router_is_started_anew() -> None:
    mesh = Mesh({name: set(NAMES) - {"AMS2"} for name in NAMES})
    with pytest.raises(OverlayError, match="a complete mesh did not come within"):
        await mesh.ready(0.2)
    assert mesh.started == []


def running_with(password: str) -> FakeHost:
    """A host where a router runs with a password."""

    def said(argv: Sequence[str]) -> tuple[int, str]:
        return 0, f"{password}\n" if argv[-1] == "sh" else ""

    return FakeHost("AMS", said, silent=True)


async def test_the_password_is_the_one_that_routers_run_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_WEAVE_PASSWORD", raising=False)
    made: Any = registry.parse("weave:encryption=on")
    host = running_with("theirs")

    await made._adopt_password([host])

    assert made._password == "theirs"
    assert host.fed == [router.ASK_PASSWORD.decode()]


async def test_another_password_than_the_one_in_use_is_refused_and_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_WEAVE_PASSWORD", "mine")
    made: Any = registry.parse("weave:encryption=on")
    with pytest.raises(OverlayError, match="runs with another password") as caught:
        await made._adopt_password([running_with("theirs")])
    assert "theirs" not in str(caught.value)
    assert "mine" not in str(caught.value)


def facts(*features: str) -> HostFacts:
    return HostFacts("6.1", "x86_64", (20, 10), frozenset({"dummy"}), frozenset(), frozenset(features))


@pytest.mark.parametrize(
    ("spec", "features", "user_space"),
    [
        ("weave:mode=auto", (), True),
        ("weave:mode=auto", ("openvswitch",), False),
        ("weave:mode=auto,encryption=on", ("openvswitch",), True),
        ("weave:mode=auto,encryption=on", ("openvswitch", "esp"), False),
        ("weave:mode=sleeve", ("openvswitch",), True),
        ("weave:mode=fastdp", ("openvswitch",), False),
    ],
)
async def test_hosts_that_lack_a_fast_datapath_settle_what_carries_packets(
    spec: str, features: tuple[str, ...], user_space: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kernel(FakeHost):
        async def facts(self) -> HostFacts:
            return facts(*features)

    monkeypatch.setattr(router, "program", lambda: b"dummy")
    made = registry.parse(spec)
    hosts: list[Any] = [Kernel(name) for name in NAMES]
    await made.install(hosts, CHAIN)
    assert made.user_space is user_space
    # a router that finds no Open vSwitch would make a bridge, and refuse it when it is started again
    without = any("--no-fastdp" in word for word in hosts[0].fed)
    assert without is ("openvswitch" not in features or "sleeve" in spec)


@pytest.mark.parametrize(
    ("spec", "bytes_"),
    [
        ("weave:mode=fastdp", 1416),
        ("weave:mode=sleeve", 1438),
        ("weave:mode=fastdp,encryption=on", 1392),
        ("weave:mode=sleeve,encryption=on", 1414),
        ("weave:mode=sleeve,mtu=1300", 1300),
    ],
)
def test_endpoints_get_what_fits_through_every_link(spec: str, bytes_: int) -> None:
    made: Any = registry.parse(spec)
    made.topology = CHAIN
    made.settings = {**made.settings, "mtu": made.settings["mtu"] if "mtu=" in spec else "0"}
    assert made.mtu == bytes_


@pytest.mark.parametrize(
    ("spec", "kinds", "features", "lacking"),
    [
        ("weave", {"ifb"}, set(), []),
        ("weave", {"dummy"}, set(), []),
        ("weave", set(), set(), ["both of the link kinds 'dummy' and 'ifb' in its kernel"]),
        ("weave:mode=fastdp", {"dummy"}, {"openvswitch"}, []),
        ("weave:mode=fastdp", {"dummy"}, {"esp"}, ["Open vSwitch in its kernel"]),
        ("weave:mode=fastdp,encryption=on", {"dummy"}, {"openvswitch"}, [NO_ESP.what]),
        ("weave:mode=fastdp,encryption=on", {"dummy"}, {"openvswitch", "esp"}, []),
        ("weave:mode=auto,encryption=on", {"dummy"}, set(), []),
    ],
)
def test_what_a_host_lacks(spec: str, kinds: set[str], features: set[str], lacking: list[str]) -> None:
    given = HostFacts("6.1", "x86_64", (), frozenset(kinds), frozenset(), frozenset(features))
    assert [missing.what for missing in registry.parse(spec).prerequisites(given)] == lacking


async def test_a_router_that_runs_and_does_not_answer_is_told() -> None:
    mesh = Mesh(knowing_all_but())
    mesh.down = {"PRG"}
    assert await mesh._lacking(mesh.hosts[1]) == "the router does not answer yet"
    with pytest.raises(OverlayError, match="weave: the router on PRG runs and gives no report"):
        await mesh.report()


async def test_a_router_is_told_of_new_neighbours_and_of_lost_ones() -> None:
    made: Any = registry.parse("weave")
    host = FakeHost("AMS")
    await made._meet(host, {"192.0.2.1", "192.0.2.2"}, {"192.0.2.2", "192.0.2.4", "192.0.2.3"})
    tell = ["curl", "-sf", "-d"]
    assert host.ran == [
        (*tell, "peer=192.0.2.1", f"http://{router.HTTP}/forget"),
        (*tell, "peer=192.0.2.3", f"http://{router.HTTP}/connect"),
        (*tell, "peer=192.0.2.4", f"http://{router.HTTP}/connect"),
    ]
