"""What all overlays share: whom they are taken up from, whom they need, what they say of themselves."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.host import Host
from overlays import registry
from overlays.common import install_record
from overlays.common.etcd import Etcd
from overlays.flannel import flanneld
from overlays.weave import router
from tests.unit.fakes import FakeHost
from tests.unit.here import Here

CHAIN = catalog.topology("linear")
RECORD = json.dumps({"settings": {"mtu": "1376"}, "told": {"store": "PRG"}})


async def test_what_was_settled_is_found_on_any_host_and_goes_to_the_new() -> None:
    ran = FakeHost("PRG", lambda argv: (0, RECORD if argv[0] == "cat" else ""))
    overlay = registry.parse("tinc")
    overlay.settings = {"mtu": "1376"}
    new = FakeHost("AMS")

    settled = await overlay.claim([new, ran], await overlay.installed([new, ran]), store="AMS")

    assert settled == {"store": "PRG"}
    assert re.search(r'"told": \{"store": "PRG"\}', new.fed[-1])
    assert not ran.fed
    assert overlay.host_with("PRG", "its store") is ran


async def test_a_host_that_the_others_need_and_that_is_not_given_is_named() -> None:
    overlay = registry.parse("flannel")
    await overlay.claim([FakeHost("PRG")], install_record.Installed({"store": "AMS"}, ()))
    with pytest.raises(OverlayError, match="flannel has its store on AMS, which is not among the hosts"):
        overlay.host_with("AMS", "its store")


async def test_memory_is_that_of_the_daemons_that_run(tmp_path: Path) -> None:
    mine, gone = tmp_path / "mine.pid", tmp_path / "gone.pid"
    mine.write_text(f"{os.getpid()}\n")
    overlay = registry.parse("tinc")
    overlay.hosts = (Here("AMS"), Here("PRG"))
    files = {"AMS": {"mine": str(mine), "gone": str(gone)}, "PRG": {"gone": str(gone)}}
    overlay.pidfiles = lambda host: files[host.name]  # type: ignore[method-assign]
    memory = await overlay.memory()
    assert list(memory) == ["AMS"]
    assert 10 << 20 < memory["AMS"] < 4 << 30


@pytest.mark.parametrize(
    ("spec", "user_space"),
    [
        ("underlay", False),
        ("tinc", True),
        ("weave", True),
        ("weave:mode=fastdp", False),
        ("flannel", False),
        ("flannel:backend=udp", True),
        ("libnetwork", False),
    ],
)
def test_overlays_say_whether_a_daemon_carries_every_packet(spec: str, user_space: bool) -> None:
    assert registry.parse(spec).user_space is user_space


async def test_logs_are_named_for_each_host_also_those_of_docker_s_own_daemon() -> None:
    hosts: list[Any] = [FakeHost(host.name) for host in CHAIN.hosts]
    named = {}
    for spec in ("underlay", "tinc", "weave", "flannel"):
        overlay = registry.parse(spec)
        overlay.hosts = tuple(hosts)
        named[spec] = set(overlay.log_names(hosts[0]))
    assert named == {"underlay": set(), "tinc": {"tincd"}, "weave": {"weaver"}, "flannel": {"flanneld"}}
    libnetwork: Any = registry.parse("libnetwork")
    libnetwork._meets, libnetwork._store = hosts[1], Etcd("libnetwork", hosts[1], "192.0.2.1", 2379)
    assert set(libnetwork.log_names(hosts[0])) == {"dockerd"}
    assert set(libnetwork.log_names(hosts[1])) == {"dockerd", "etcd-libnetwork"}


def test_an_overlay_that_is_not_installed_has_no_topology() -> None:
    with pytest.raises(OverlayError, match="tinc is not installed; call install first"):
        _ = registry.parse("tinc").topology


async def test_the_first_failure_on_a_host_ends_the_work_on_the_others() -> None:
    overlay, ended = registry.parse("underlay"), list[str]()
    overlay.hosts = tuple(FakeHost(name) for name in ("AMS", "PRG"))

    async def work(host: Host) -> None:
        if host.name == "PRG":
            raise OverlayError("PRG cannot")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(host.name)

    with pytest.raises(OverlayError, match="PRG cannot"):
        await overlay.on_hosts(work)
    assert ended == ["AMS"]


def test_neighbours_and_reachable_hosts_are_those_that_have_the_overlay() -> None:
    overlay = registry.parse("tinc")
    overlay.topology = CHAIN
    overlay.hosts = tuple(FakeHost(name) for name in ("AMS", "PRG", "LJU"))
    ams, prg, lju = overlay.hosts
    assert (overlay.neighbours(prg), overlay.neighbours(lju)) == ([ams], [])
    assert overlay.reachable(prg) == [ams, lju]


def test_programs_are_fetched_before_hosts_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = list[str]()
    monkeypatch.setattr(flanneld, "program", lambda: fetched.append("flanneld"))
    monkeypatch.setattr(router, "program", lambda: fetched.append("weaver"))
    for name in registry.names():
        registry.load(name).fetch()
    assert sorted(fetched) == ["flanneld", "weaver"]


async def test_the_first_host_that_fails_ends_the_work_on_the_others() -> None:
    overlay, ended = registry.parse("tinc"), list[str]()
    overlay.hosts = (FakeHost("AMS"), FakeHost("PRG"))

    async def work(host: Host) -> None:
        if host.name == "AMS":
            await asyncio.sleep(0.01)
            raise OverlayError("it died")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(host.name)

    async with asyncio.timeout(10):
        with pytest.raises(OverlayError, match="it died"):
            await overlay.on_hosts(work)
    assert ended == ["PRG"]


async def test_results_are_by_the_names_of_the_hosts() -> None:
    overlay = registry.parse("tinc")
    overlay.hosts = (FakeHost("AMS"), FakeHost("PRG"))

    async def work(host: Host) -> str:
        return host.name.lower()

    assert await overlay.on_hosts(work) == {"AMS": "ams", "PRG": "prg"}
