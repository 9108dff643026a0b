"""`lab testbed check` against a server of this process: reached, looked at, and nothing done."""

from __future__ import annotations

from pathlib import Path

from lab import catalog
from lab.app.testbed import Booked
from lab.cli.testbed_check import checked
from lab.events import silent
from lab.testbed.inventory import Inventory, Machine, Ssh
from tests.unit.sshd import Server, serving

PAIR = catalog.topology("point_to_point")


def book(server: Server, **more: Machine) -> Booked:
    machines = {
        host.name: Machine(address="127.0.0.1", port=server.port, ports={"eth1": "auto"})
        for host in PAIR.hosts
    }
    ssh = Ssh(user="root", key="key", known_hosts="known_hosts")
    found = Inventory(topology="point_to_point", ssh=ssh, hosts={**machines, **more})
    return Booked(found, PAIR, server.folder / "inventory.yaml")


async def test_what_each_host_has_and_lacks(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        _, table = await checked(book(server), ["underlay"], silent, accept_new=False)
        asked = " ".join(server.asked)
    shown = {section.heading: section.rows for section in table.sections}
    assert table.title == "2 of 2 hosts of point_to_point answer"
    first = shown["what each host has"][0]
    assert first[0] == PAIR.hosts[0].name
    assert first[5] == "lo", "the interface that carries the connection"
    assert "192.168.1.1/24 for eth1" in shown["what it lacks, and 'prepare' brings"][0][0]
    for word in ("ip addr add", "apt-get", "docker load", "mkdir"):
        assert word not in asked


async def test_every_host_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    second = PAIR.hosts[1].name
    async with serving(tmp_path) as server:
        found = book(server, **{second: Machine(address="127.0.0.1", port=1, ports={"eth1": "auto"})})
        status, table = await checked(found, [], silent, accept_new=False)
    shown = {section.heading: section.rows for section in table.sections}
    (row,) = [r for r in shown["what stands in the way"] if second in r[0]]
    assert row[0].startswith(f"{second} cannot be reached at 127.0.0.1 port 1: ")
    assert status == 1


async def test_the_control_network_given_as_a_port_is_refused(tmp_path: Path) -> None:
    first = PAIR.hosts[0].name
    async with serving(tmp_path) as server:
        machine = Machine(address="127.0.0.1", port=server.port, ports={"eth1": "lo"})
        status, table = await checked(book(server, **{first: machine}), [], silent, accept_new=False)
    said = [r[0] for section in table.sections for r in section.rows if "never measured" in r[0]]
    assert said
    assert status == 1
