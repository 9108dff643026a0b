"""Nebula: what daemons are told, with relays and without, and who may not leave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.host import HostFacts
from overlays.nebula import overlay as nebula
from overlays.nebula.overlay import Nebula
from overlays.registry import parse
from tests.paths import ROOT
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")
CERTIFICATE = "-----BEGIN NEBULA CERTIFICATE-----\nab\n-----END NEBULA CERTIFICATE-----\n"
LOG = (ROOT / "tests/fixtures/nebula/relayed.log").read_text()


async def installed(spec: str, log: str = "") -> tuple[Nebula, list[FakeHost]]:
    """An overlay on the chain whose daemons have written `log`."""

    def host(name: str) -> FakeHost:
        made = FakeHost(name, docker=())
        signs = {"sh": CERTIFICATE * len(CHAIN.hosts), "grep": log}
        made.answer = lambda argv: (0, signs.get(argv[0], ""))
        return made

    overlay, hosts = parse(spec), [host(h.name) for h in CHAIN.hosts]
    assert isinstance(overlay, Nebula)
    overlay.prerequisites = lambda facts: ()  # type: ignore[method-assign]
    await overlay.install(hosts, CHAIN)
    return overlay, hosts


def told(overlay: Nebula, host: Any) -> Any:
    return json.loads(json.dumps(overlay.configuration(host)))


async def test_the_lighthouse_is_on_the_first_host_and_the_others_know_where() -> None:
    overlay, hosts = await installed("nebula:cipher=chachapoly")
    first, other = told(overlay, hosts[0]), told(overlay, hosts[2])
    assert first["lighthouse"]["am_lighthouse"]
    assert other["lighthouse"] == {
        "am_lighthouse": False,
        "hosts": ["10.91.0.1"],
        "local_allow_list": {"192.168.2.3/32": True},
    }
    assert other["static_host_map"] == {"10.91.0.1": ["192.168.1.1:4242"]}
    assert {"route": "10.90.6.0/24", "via": "10.91.0.6"} in other["tun"]["unsafe_routes"]
    assert len(other["tun"]["unsafe_routes"]) == 5, "not its own"
    assert other["cipher"] == first["cipher"] == "chachapoly"


async def test_without_relays_nobody_relays() -> None:
    overlay, hosts = await installed("nebula")
    assert not any(told(overlay, host)["relay"]["am_relay"] for host in hosts)
    assert not any(told(overlay, host)["relay"]["use_relays"] for host in hosts)


async def test_with_relays_a_host_sends_straight_to_the_first_one_and_to_its_neighbours() -> None:
    overlay, hosts = await installed("nebula:relays=on")
    assert told(overlay, hosts[0])["relay"] == {"am_relay": True, "use_relays": False, "relays": []}
    other = told(overlay, hosts[3])
    assert other["relay"] == {"am_relay": False, "use_relays": True, "relays": ["10.91.0.1"]}
    assert other["lighthouse"]["remote_allow_list"].keys() == {
        "192.168.1.1/32", "192.168.2.3/32", "192.168.4.5/32",
    }  # fmt: skip


async def test_a_relayed_tunnel_is_in_the_mode() -> None:
    overlay, _ = await installed("nebula:relays=on", LOG)
    mode = await overlay.mode()
    assert (mode["mode"], mode["cipher"], mode["encryption"]) == ("relayed", "aes", "on")
    assert mode["relayed"] == "6 pairs by AMS"


async def test_who_has_no_tunnel_is_named_and_sent_a_packet() -> None:
    overlay, hosts = await installed("nebula", LOG)
    with pytest.raises(OverlayError, match=r"its tunnels .*no tunnel to .*LJU, MIL, AMS2"):
        await overlay.ready(0)
    assert "ping -c1 -W1 10.91.0.4" in hosts[1].fed[-1]


async def test_the_host_with_the_lighthouse_stays() -> None:
    overlay, hosts = await installed("nebula")
    with pytest.raises(OverlayError, match="cannot lose AMS, which has the lighthouse"):
        await overlay.leave(hosts[0])


async def test_private_keys_stay_where_they_are_made() -> None:
    _, hosts = await installed("nebula")
    texts = [text for host in hosts for text in host.fed] + [" ".join(argv) for h in hosts for argv in h.ran]
    assert not [
        text
        for text in texts
        if f"cat {nebula.KEY}.key" in text or "cat " + nebula.AUTHORITY + ".key" in text
    ]
    assert all("umask 077" in script for script in (nebula.MAKE_KEY, nebula.MAKE_AUTHORITY))


def test_what_a_host_lacks() -> None:
    lacking = parse("nebula").prerequisites(HostFacts("6.1", "x86_64", ()))
    assert [missing.what for missing in lacking] == ["the program nebula", "the device /dev/net/tun"]


@pytest.mark.parametrize(("spec", "again"), [("nebula:relays=on", True), ("nebula", False)])
async def test_with_relays_other_links_start_the_daemons_again(
    spec: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay, hosts = await installed(spec)
    stopped, rerouted, installs = list[str](), list[Any](), list[Any]()

    async def reroute(topology: Any, port: Any) -> None:
        rerouted.append((topology, port))

    async def install(hosts: Any, topology: Any) -> None:
        installs.append((list(hosts), topology))

    async def stop(self: FakeHost, name: str) -> None:
        stopped.append(f"{self.name} {name}")

    monkeypatch.setattr(overlay, "reroute", reroute)
    monkeypatch.setattr(overlay, "install", install)
    monkeypatch.setattr(FakeHost, "stop", stop)
    await overlay.rewire(CHAIN)
    assert rerouted == [(CHAIN, nebula.PORT)]
    assert installs == ([(hosts, CHAIN)] if again else [])
    assert stopped == ([f"{host.name} nebula" for host in hosts] if again else [])


async def test_a_host_that_joined_again_asks_for_the_tunnel_that_the_other_one_believes_it_has() -> None:
    """The word of its end had not come through the relay; for a minute neither of the two sent a packet."""
    overlay, hosts = await installed("nebula:relays=on")
    line = '{"msg": "Handshake message received", "vpnIp": "10.91.0.4"}\n'
    hosts[1].answer = lambda argv: (0, line if argv[0] == "grep" else "")
    said = await overlay._lacking(hosts[3])
    assert "no tunnel to" in said
    sent = hosts[3].fed[-1]
    assert "10.91.0.2" in sent, "the second host has a tunnel to the fourth"
    assert "10.91.0.3" not in sent, "the third asks by itself"
    assert "10.91.0.5" in sent
