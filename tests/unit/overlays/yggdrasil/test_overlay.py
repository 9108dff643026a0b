"""Yggdrasil: whom a node is told of, where its keys go, and what it lacks while it looks for paths."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.host import HostFacts
from overlays.registry import parse
from overlays.yggdrasil import overlay as yggdrasil
from overlays.yggdrasil.overlay import Yggdrasil
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


async def installed(said: str = "") -> tuple[Yggdrasil, list[FakeHost]]:
    """An overlay on the chain; host N has the address 200::N, and its node says `said`."""

    def host(name: str, number: int) -> FakeHost:
        return FakeHost(name, lambda argv: (0, f"200::{number}\n" if argv[0] == "sh" else ""), docker=())

    overlay, hosts = parse("yggdrasil"), [host(h.name, h.number) for h in CHAIN.hosts]
    assert isinstance(overlay, Yggdrasil)
    overlay.prerequisites = lambda facts: ()  # type: ignore[method-assign]
    await overlay.install(hosts, CHAIN)
    for one in hosts:
        one.answer = lambda argv: (0, said)
    return overlay, hosts


async def test_a_node_connects_to_its_earlier_neighbours_and_looks_for_nobody() -> None:
    overlay, hosts = await installed()
    text = json.loads('{"PrivateKey": "",' + overlay.configuration(hosts[1]))
    assert text["Peers"] == ["tcp://192.168.1.1:9001"]
    assert text["MulticastInterfaces"] == []
    assert json.loads("{" + overlay.configuration(hosts[0]))["Peers"] == []


async def test_frames_for_everybody_go_to_every_other_node() -> None:
    _, hosts = await installed()
    started = next(text for text in hosts[0].fed if "bridge fdb" in text)
    assert "type vxlan id 80 dstport 4790 local 200::1" in started
    assert [f"dst 200::{number}\n" in started for number in range(1, 7)] == [False] + 5 * [True]


async def test_a_neighbour_that_is_missing_is_connected_to_and_named() -> None:
    said = '{"address": "200::2", "coords": []} {"peers": []} {"paths": []}'
    overlay, hosts = await installed(said)
    overlay._started = 0.0
    with pytest.raises(OverlayError, match=r"its paths .*no connection to \w+.*; no path to \w+"):
        await overlay.ready(0)
    assert "addpeer uri=tcp://192.168.1.1:9001" in hosts[1].fed[-1]
    assert "ping -6 -c1 -W1 200::1" in hosts[1].fed[-1]


async def test_a_node_that_does_not_answer_is_named() -> None:
    overlay, _ = await installed("")
    with pytest.raises(OverlayError, match="the node on AMS runs and does not answer"):
        await overlay.mode()


async def test_no_command_has_a_private_key() -> None:
    _, hosts = await installed()
    texts = [text for host in hosts for text in host.fed if "PrivateKey" in text]
    assert not texts
    assert not [argv for host in hosts for argv in host.ran if "cat" in argv and yggdrasil.KEYS in argv]


def test_keys_are_made_once_and_only_their_owner_can_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, keys = tmp_path / "bin", tmp_path / "keys"
    tools.mkdir()
    printed = ['{ "Peers": [],', '"AllowedPublicKeys": [],', '"PublicKey": "ab",', '"PrivateKey": "\'$$\'",']
    (tools / "yggdrasil").write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in printed))
    (tools / "yggdrasil").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    def run(script: str, given: str = "") -> str:
        argv = ["sh", "-e", "-c", script.replace(yggdrasil.FOLDER, str(tmp_path))]
        return subprocess.run(argv, input=given, capture_output=True, text=True, check=True).stdout

    run(yggdrasil.MAKE_KEYS)
    before = keys.read_text()
    run(yggdrasil.MAKE_KEYS)
    assert keys.read_text() == before
    assert run(yggdrasil.CONFIGURE, '"Peers": []}') == ""
    made = tmp_path / "yggdrasil.conf"
    assert json.loads(made.read_text()).keys() == {"PublicKey", "PrivateKey", "Peers"}
    assert [path.stat().st_mode & 0o777 for path in (keys, made)] == [0o600, 0o600]


def test_what_a_host_lacks() -> None:
    lacking = parse("yggdrasil").prerequisites(HostFacts("6.1", "x86_64", ()))
    assert [missing.what for missing in lacking] == [
        "the program yggdrasil",
        "the device /dev/net/tun",
        "IPv6 in its kernel",
        "the link kind 'vxlan' in its kernel",
    ]


@pytest.mark.parametrize(("begun", "asked"), [(0.0, True), (1e12, False)])
async def test_a_neighbour_is_asked_again_only_after_a_while_and_only_by_the_later_one(
    begun: float, asked: bool
) -> None:
    overlay, hosts = await installed('{"address": "200::2", "coords": []} {"peers": []} {"paths": []}')
    overlay._started = begun
    said = await overlay._lacking(hosts[1])  # type: ignore[arg-type]
    assert said.startswith("no connection to AMS; no connection to BRA; no path to AMS; no path to BRA")
    assert ("addpeer uri=tcp://192.168.1.1:9001" in hosts[1].fed[-1]) is asked
    assert "192.168.2.3" not in hosts[1].fed[-1]
    assert hosts[1].fed[-1].count("ping -6") == yggdrasil.AT_ONCE


async def test_what_leaves_is_forgotten_by_all_and_no_longer_called_by_its_neighbour() -> None:
    overlay, hosts = await installed()
    overlay._prepare = lambda host: _address(overlay, host)  # type: ignore[method-assign]
    before = [len(host.fed) for host in hosts]
    await overlay.leave(hosts[-1])  # type: ignore[arg-type]
    told = ["".join(host.fed[n:]) for host, n in zip(hosts, before, strict=True)]
    assert ["fdb del" in text for text in told] == 5 * [True] + [False]
    assert [f"removepeer uri=tcp://192.168.5.6:{yggdrasil.PORT}" in text for text in told] == [
        *(4 * [False]), True, False,
    ]  # fmt: skip
    assert overlay.hosts == tuple(hosts[:-1])


async def _address(overlay: Yggdrasil, host: FakeHost) -> str:
    return overlay._addresses[host.name]
