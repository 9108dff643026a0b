"""`lab testbed check` against a server of this process: reached, surveyed, and nothing done."""

from __future__ import annotations

from pathlib import Path

from lab import catalog
from lab.app.testbed import BookedTestbed, check
from lab.events import silent
from lab.testbed.inventory import Inventory, Machine, Ssh
from tests.unit.sshd import Server, serving

PAIR = catalog.topology("point_to_point")


def booked_at(server: Server, **more: Machine) -> BookedTestbed:
    """Both hosts of a pair at one server, but for some machines."""
    machines = {
        host.name: Machine(address="127.0.0.1", port=server.port, ports={"eth1": "auto"})
        for host in PAIR.hosts
    }
    ssh = Ssh(user="root", key="key", known_hosts="known_hosts")
    inventory = Inventory(topology="point_to_point", ssh=ssh, hosts={**machines, **more})
    return BookedTestbed(inventory, PAIR, server.folder / "inventory.yaml")


async def test_a_check_reaches_every_host_and_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        found = await check(booked_at(server), ["underlay"], silent)
        asked = " ".join(server.asked)
    assert set(found.bed.surveys) == {host.name for host in PAIR.hosts}
    for word in ("ip addr add", "apt-get", "docker load", "mkdir"):
        assert word not in asked


async def test_every_host_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    second = PAIR.hosts[1].name
    async with serving(tmp_path) as server:
        booked = booked_at(server, **{second: Machine(address="127.0.0.1", port=1, ports={"eth1": "auto"})})
        found = await check(booked, [], silent)
    (trouble,) = [words for words in found.troubles if second in words]
    assert trouble.startswith(f"{second} cannot be reached at 127.0.0.1 port 1: ")


async def test_the_control_network_given_as_a_port_is_refused(tmp_path: Path) -> None:
    first = PAIR.hosts[0].name
    async with serving(tmp_path) as server:
        machine = Machine(address="127.0.0.1", port=server.port, ports={"eth1": "lo"})
        found = await check(booked_at(server, **{first: machine}), [], silent)
    assert any("never measured" in words for words in found.troubles)
