"""The contract of every overlay that needs no Docker, on hosts without a Docker daemon.

The tests are those of `test_overlays`, on a chain of three light hosts: there an endpoint is a set of
namespaces on the overlay's own bridge. One mode of each overlay is enough, one that `test_overlays` does not
have: what differs from hosts with Docker is the endpoints and their networks, which all modes share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lab.emulation.emulation import Emulation
from lab.errors import CommandError, NotObtainable, OverlayError
from lab.hosts.host import Endpoint, Host
from overlays.base import Overlay
from tests.integration import test_overlays as contract
from tests.integration.test_overlays import Running, iperf, loop, obtainable
from topologies import linear

__all__ = ["loop"]
SPECS = (
    "underlay",
    "weave:mode=sleeve",
    "tinc:encryption=on",
    "flannel:backend=vxlan",
    "wireguard",
    "yggdrasil",
    "nebula",
)


@pytest.fixture(scope="module")
def lab(loop: asyncio.Runner) -> Iterator[Emulation]:
    emulation = Emulation(linear.topology(("AMS", "PRG", "BRA"), rate=200.0), daemons="none")
    loop.run(emulation.up())
    yield emulation
    loop.run(emulation.down())


@pytest.fixture(scope="module", params=SPECS)
def running(request: pytest.FixtureRequest, loop: asyncio.Runner, lab: Emulation) -> Iterator[Running]:
    with contract.up(request.param, loop, lab) as now:
        yield now


# tests run in the order in which they stand here
test_every_endpoint_reaches_every_other = contract.test_every_endpoint_reaches_every_other
test_no_endpoint_has_a_way_out = contract.test_no_endpoint_has_a_way_out
test_the_mode_says_what_was_asked = contract.test_the_mode_says_what_was_asked
test_the_mtu_is_exactly_the_largest_packet_that_fits = (
    contract.test_the_mtu_is_exactly_the_largest_packet_that_fits
)
test_a_packet_passes_every_host_on_the_way = contract.test_a_packet_passes_every_host_on_the_way
test_a_hop_is_what_the_overlay_says = contract.test_a_hop_is_what_the_overlay_says
test_what_is_encrypted_cannot_be_read_on_the_underlay = (
    contract.test_what_is_encrypted_cannot_be_read_on_the_underlay
)
test_installing_twice_changes_nothing = contract.test_installing_twice_changes_nothing
test_another_process_takes_it_up_as_it_runs = contract.test_another_process_takes_it_up_as_it_runs
test_with_other_options_it_is_not_taken_up = contract.test_with_other_options_it_is_not_taken_up
test_a_killed_daemon_is_noticed_and_named = contract.test_a_killed_daemon_is_noticed_and_named
test_logs_of_every_daemon_can_be_had = contract.test_logs_of_every_daemon_can_be_had


def test_tcp_has_a_throughput(running: Running) -> None:
    assert running.do(iperf(running.endpoints["AMS"], running.endpoints[running.far], 2)) > 1.0


def test_an_endpoint_has_what_a_container_has(running: Running) -> None:
    """Its own name, processes and devices, files that it can write, and its interfaces; and no more."""
    endpoint = running.endpoints["PRG"]
    script = (
        "hostname; head -c1 /dev/zero | wc -c; echo x > /tmp/x && rm /tmp/x; cat /proc/1/comm;"
        " ip link set lo down && ip link set lo up; mount -t tmpfs x /mnt 2>/dev/null || echo refused"
    )
    said = running.do(endpoint.run(["sh"], stdin=script.encode())).stdout.split()
    assert said == ["PRG", "1", "sleep", "refused"]


def test_one_that_is_detached_leaves_its_address_to_the_next(running: Running) -> None:
    old = running.endpoints.pop("AMS")
    running.do(running.overlay.detach(old))
    with pytest.raises(OverlayError, match="of image lab/gtsperf, not debian"):
        running.do(running.overlay.attach(old.host, "debian"))
    running.endpoints["AMS"] = running.do(running.overlay.attach(old.host))
    assert running.endpoints["AMS"] == old
    assert " 0% packet loss" in running.ping("AMS", "PRG", "-c", "3", "-i", "0.2", "-W", "5")


def test_one_that_died_is_made_anew(running: Running) -> None:
    old = running.endpoints["AMS"]
    running.do(
        old.host.run(["sh", "-e"], stdin=f"read pid _ < {old.script[:-8]}process; kill -9 $pid".encode())
    )
    with pytest.raises(CommandError, match=r"endpoint .*-endpoint-AMS has ended"):
        running.do(old.run(["true"]))
    assert running.do(running.overlay.attach(old.host)) == old
    assert " 0% packet loss" in running.ping("AMS", "PRG", "-c", "3", "-i", "0.2", "-W", "5")


def test_a_second_endpoint_has_an_address_of_its_own(running: Running) -> None:
    first = running.endpoints["PRG"]
    second = running.do(running.overlay.attach(first.host, name="second"))
    try:
        assert (second.address == first.address) == (running.overlay.name == "underlay")
        reached = running.do(
            second.run(["ping", "-n", "-c", "1", "-W", "5", running.endpoints["AMS"].address])
        )
        assert " 0% packet loss" in reached.stdout
    finally:
        running.do(running.overlay.detach(second))


test_uninstalling_leaves_every_host_as_it_was = contract.test_uninstalling_leaves_every_host_as_it_was


def test_an_overlay_of_docker_s_own_is_refused(loop: asyncio.Runner, lab: Emulation) -> None:
    overlay = obtainable("libnetwork")
    with pytest.raises(NotObtainable, match=r"AMS lacks a Docker daemon.*leave out --daemons none"):
        loop.run(overlay.install(list(lab.hosts.values()), lab.topology))  # type: ignore[arg-type]


def test_overlays_of_one_lab_run_side_by_side(loop: asyncio.Runner, lab: Emulation) -> None:
    """Each comes up beside those that run, and goes without a trace while they go on."""
    hosts: list[Host] = list(lab.hosts.values())
    before = [loop.run(contract.inventory(hosts))]
    up: list[tuple[Overlay, dict[str, Endpoint]]] = []
    try:
        for spec in ("wireguard", "yggdrasil", "nebula", "tinc"):
            overlay = obtainable(spec)
            up.append((overlay, {}))
            loop.run(overlay.install(hosts, lab.topology))  # type: ignore[arg-type]
            loop.run(overlay.ready(60))
            up[-1][1].update({e.host.name: e for e in loop.run(contract.attach(overlay, hosts))})
            for one, endpoints in up:
                loop.run(contract.all_pairs(one, endpoints))
            before.append(loop.run(contract.inventory(hosts)))
        while up:
            loop.run(up.pop()[0].uninstall())
            before.pop()
            assert loop.run(contract.comes_to(before[-1], hosts)) == before[-1]
            for one, endpoints in up:
                loop.run(contract.all_pairs(one, endpoints))
    finally:
        for one, _ in up:
            loop.run(one.uninstall())
