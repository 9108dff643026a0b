"""WireGuard: whom a host has for a peer, what a kernel lacks, and where its key goes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import catalog
from lab.errors import CommandError, OverlayError
from lab.hosts.host import HostFacts
from overlays.registry import parse
from overlays.wireguard import overlay as wireguard
from overlays.wireguard.overlay import WireGuard
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")
#: When a host shook hands with each: with all but AMS2, the latest host, and with all but AMS, the earliest.
NOT_WITH_AMS2 = "".join(f"key-of-{host.name}=\t{6 - host.number}\n" for host in CHAIN.hosts)
HANDSHAKES = "".join(f"key-of-{host.name}=\t{host.number - 1}\n" for host in CHAIN.hosts)


async def installed(spec: str, said: str = "") -> tuple[WireGuard, list[FakeHost]]:
    """An overlay on the chain; each host has a public key of its own, and says `said` of its peers."""

    def answers(name: str) -> FakeHost:
        prints = {
            "wg": said,
            "ip": '[{"linkinfo": {"info_kind": "tun"}}]',
            "sh": f"is running.\nkey-of-{name}=\n",
        }
        return FakeHost(name, lambda argv: (0, prints.get(argv[0], "")), docker=())

    hosts, overlay = [answers(host.name) for host in CHAIN.hosts], parse(spec)
    assert isinstance(overlay, WireGuard)
    overlay.prerequisites = lambda facts: ()  # type: ignore[method-assign]
    await overlay.install(hosts, CHAIN)
    return overlay, hosts


async def test_in_a_mesh_every_host_is_a_peer_by_its_own_address() -> None:
    overlay, hosts = await installed("wireguard")
    text = overlay.peers(hosts[1])
    assert text.count("[Peer]") == 5
    assert "PublicKey = key-of-MIL=\nEndpoint = 192.168.4.5:51821\nAllowedIPs = 10.70.5.0/24\n" in text, (
        "MIL's first address"
    )
    assert overlay.hops == "routed underlay"


async def test_with_neighbours_a_peer_has_all_that_lies_behind_it() -> None:
    overlay, hosts = await installed("wireguard:topology=neighbours")
    assert overlay.peers(hosts[1]) == (
        "\n[Peer]\nPublicKey = key-of-AMS=\nEndpoint = 192.168.1.1:51821\nAllowedIPs = 10.70.1.0/24\n"
        "\n[Peer]\nPublicKey = key-of-BRA=\nEndpoint = 192.168.2.3:51821\n"
        "AllowedIPs = 10.70.3.0/24, 10.70.4.0/24, 10.70.5.0/24, 10.70.6.0/24\n"
    )
    assert overlay.hops == "overlay"
    assert WireGuard.hops == "routed underlay"


async def test_what_a_device_allows_from_a_peer_proves_the_hops() -> None:
    said = "key-of-PRG=\t10.70.2.0/24 10.70.3.0/24 10.70.4.0/24\n"
    overlay, _ = await installed("wireguard:topology=neighbours", said)
    assert (await overlay.multihop_proof())["AMS"] == {"BRA": "PRG", "LJU": "PRG"}


@pytest.mark.parametrize("topology", ["mesh", "neighbours"])
async def test_only_hosts_that_relay_tell_of_no_shorter_way(topology: str) -> None:
    """An ICMP redirect for a relayed packet made every other ping fail."""
    overlay, hosts = await installed(f"wireguard:topology={topology}")
    told = [text for text in hosts[1].fed if "conf/wg-lab/send_redirects" in text]
    assert bool(told) == (topology == "neighbours")
    await overlay.remove(hosts[1])
    assert f"cat {wireguard.FOLDER}/redirects > {wireguard.ALL}" in hosts[1].fed[-1]


async def test_a_peer_without_a_handshake_is_named_and_sent_a_packet() -> None:
    overlay, hosts = await installed("wireguard", NOT_WITH_AMS2)
    with pytest.raises(OverlayError, match=r"wireguard on \w+: its handshakes .* no handshake with AMS2"):
        await overlay.ready(0)
    assert "ping -c1 -W1 10.70.6.1" in hosts[0].fed[-1]


async def test_the_later_one_of_two_leaves_the_first_packet_to_the_other_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When both began a handshake at one moment, it took 5 s."""
    overlay, hosts = await installed("wireguard", HANDSHAKES)
    for turn, asked in ((10.0, False), (-1.0, True)):
        monkeypatch.setattr(wireguard, "TURN", turn)
        with pytest.raises(OverlayError, match=r"no handshake with AMS"):
            await overlay.ready(0)
        assert ("ping -c1 -W1 10.70.1.1" in hosts[1].fed[-1]) == asked


async def test_the_mode_is_what_the_device_is() -> None:
    overlay, _ = await installed("wireguard")
    assert (await overlay.mode())["mode"] == "user"


async def test_no_command_has_a_private_key_and_none_prints_one() -> None:
    _, hosts = await installed("wireguard")
    texts = [" ".join(argv) for host in hosts for argv in host.ran] + [text for h in hosts for text in h.fed]
    assert not [text for text in texts if "genkey" in text and f"> {wireguard.KEY}" not in text]
    assert not [text for text in texts if f"cat {wireguard.KEY}" in text and "| wg syncconf" not in text]


def test_a_key_is_made_once_and_only_its_owner_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "wg").write_text("#!/bin/sh\n[ $1 = pubkey ] && exec rev\ndate +%N\n")
    (tools / "wg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    script = wireguard.MAKE_KEY.replace(wireguard.FOLDER, str(tmp_path / "keys"))
    said = [subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout for _ in range(2)]
    key = tmp_path / "keys" / "private.key"
    assert said[0] == said[1] == key.read_bytes().strip()[::-1] + b"\n"
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("spec", "kinds", "programs", "lacking"),
    [
        ("wireguard", {"wireguard"}, {"wg"}, []),
        ("wireguard", set(), {"wg", "wireguard-go"}, []),
        ("wireguard", set(), {"wg"}, ["WireGuard in its kernel and the program wireguard-go"]),
        ("wireguard:mode=kernel", set(), {"wg", "wireguard-go"}, ["the link kind 'wireguard' in its kernel"]),
        ("wireguard:mode=user", {"wireguard"}, set(), ["the program wg", wireguard.NO_PROGRAM.what]),
    ],
)
def test_what_a_host_lacks(spec: str, kinds: set[str], programs: set[str], lacking: list[str]) -> None:
    facts = HostFacts("6.1", "x86_64", (), frozenset(kinds), frozenset(programs), frozenset({"tun"}))
    assert [missing.what for missing in parse(spec).prerequisites(facts)] == lacking


async def test_a_device_that_is_gone_is_told_and_a_dead_program_first() -> None:
    overlay, hosts = await installed("wireguard")
    hosts[0].answer = lambda argv: (1, "")
    with pytest.raises(CommandError, match="AMS"):
        await overlay._show(hosts[0], "transfer")  # type: ignore[arg-type]

    async def alive(name: str) -> bool:
        return False

    hosts[0].alive = alive  # type: ignore[method-assign]
    overlay._in_user_space = {"AMS"}
    with pytest.raises(OverlayError, match="wireguard-go on AMS no longer runs"):
        await overlay._show(hosts[0], "transfer")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "kinds", "in_user_space"),
    [
        ("wireguard", {"wireguard"}, False),
        ("wireguard", set(), True),
        ("wireguard:mode=user", {"wireguard"}, True),
        ("wireguard:mode=kernel", set(), False),
    ],
)
def test_who_carries_the_packets(spec: str, kinds: set[str], in_user_space: bool) -> None:
    made = parse(spec)
    assert isinstance(made, WireGuard)
    assert made._by_kernel(HostFacts("6.1", "x86_64", (), frozenset(kinds))) is not in_user_space
    assert made.encrypts
    assert made.user_space is (spec == "wireguard:mode=user")
    made._in_user_space = {"AMS"}
    assert made.user_space
    assert [made.daemons(FakeHost(name)) for name in ("AMS", "PRG")] == [("wireguard-go",), ()]  # type: ignore[arg-type]


def test_what_wg_shows_is_read_by_key() -> None:
    assert wireguard.parse("k1=\t1 2\n\nk2=\n") == {"k1=": ["1", "2"], "k2=": []}


async def test_a_kernel_s_own_device_is_told() -> None:
    overlay, hosts = await installed("wireguard")
    hosts[0].answer = lambda argv: (0, '[{"linkinfo": {"info_kind": "wireguard"}}]')
    assert (await overlay.mode())["mode"] == "kernel+user"
