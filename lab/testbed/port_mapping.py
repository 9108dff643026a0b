"""Ports of the topology and interfaces of the machines; the control network is none of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.errors import HostError
from lab.testbed.inventory import AUTO
from lab.testbed.survey import Interface, Survey
from lab.topology import LinkSpec, Topology

#: By host and port of the topology (``eth1``), the name of the interface on the machine.
Ports = Mapping[str, Mapping[str, str]]
#: A host and an interface of it, and what was found to be behind such.
MachinePort = tuple[str, str]
Wiring = Mapping[MachinePort, MachinePort]


@dataclass(frozen=True)
class LinkEnd:
    """One end of a link on a machine."""

    host: str
    port: str
    interface: str
    link: LinkSpec

    @property
    def with_length(self) -> str:
        return f"{self.link.address(self.host)}/{self.link.prefix}"

    @property
    def peer(self) -> str:
        return self.link.other(self.host)


def given_ports(host: str, given: Mapping[str, str], interfaces: Mapping[str, Interface]) -> dict[str, str]:
    """Return the interfaces of the ports that the inventory names; those that are `auto` are left out.

    Raises:
        HostError: there is no such interface.
    """
    by_mac = {one.mac: name for name, one in interfaces.items()}
    found = {}
    for port, value in given.items():
        if value == AUTO:
            continue
        name = by_mac.get(value.lower(), value)
        if name not in interfaces:
            there = ", ".join(sorted(n for n, one in interfaces.items() if one.physical)) or "none"
            raise HostError(
                f"{host} has no interface {value}, which the inventory gives for {port}; it has {there}"
            )
        found[port] = name
    return found


def control_interface(host: str, interfaces: Mapping[str, Interface], address: str) -> str:
    """Return the interface that carries the SSH connection.

    Raises:
        HostError: none has that address.
    """
    for name, one in interfaces.items():
        if any(a.split("/")[0] == address for a in one.addresses):
            return name
    raise HostError(
        f"{host}: no interface has {address}, at which SSH came in; is there NAT within the machine?"
    )


def refuse_control(host: str, ports: Mapping[str, str], control: str) -> None:
    """Refuse the control network as a port: it is never measured.

    Raises:
        HostError: it is one.
    """
    for port, interface in ports.items():
        if interface == control:
            raise HostError(
                f"{host}: {interface} carries the SSH connection, and the inventory gives it for {port}; "
                "the control network is never measured: name another interface"
            )


def refuse_foreign(host: str, ports: Mapping[str, str], found: Survey, topology: Topology) -> None:
    """Refuse ports with addresses other than those that the topology gives the host.

    Raises:
        HostError: one has another, so it may be somebody's.
    """
    own = [f"{link.address(host)}/{link.prefix}" for link in topology.links_of(host)]
    for port, interface in ports.items():
        if foreign := [a for a in found.interfaces[interface].addresses if a not in own]:
            raise HostError(
                f"{host}: {interface}, which is to be {port}, has the address {foreign[0]}, which is not the "
                f"lab's; take it away (ip addr del {foreign[0]} dev {interface}) or name another interface"
            )


def link_ends(topology: Topology, ports: Ports) -> Iterator[LinkEnd]:
    """Both ends of every link, for those ports that are known."""
    for link in topology.links:
        for host in (link.a, link.b):
            port = link.interface(host)
            if interface := ports.get(host, {}).get(port):
                yield LinkEnd(host, port, interface, link)


def candidates(interfaces: Mapping[str, Interface], taken: Iterable[str], control: str) -> list[str]:
    """Return the interfaces free to be ports: physical, not the control network, no address, not taken."""
    return [
        name
        for name, one in interfaces.items()
        if one.physical and name not in (control, *taken) and not one.addresses
    ]


def fill_in_auto(
    topology: Topology, known: Ports, asked: Mapping[str, Mapping[str, str]], wiring: Wiring
) -> Ports:
    """Return the ports with those that are `auto` filled in, from what was found to be connected.

    Raises:
        HostError: names the ports for which nothing was found.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict, {h: dict(p) for h, p in known.items()})
    missing: list[str] = []
    for link in topology.links:
        for host in (link.a, link.b):
            port = link.interface(host)
            if port in found[host]:
                continue
            options = _leading_to(host, link.other(host), wiring, found[host].values())
            if asked[host].get(port) == AUTO and len(options) == 1:
                found[host][port] = options[0]
            else:
                missing.append(f"{host} {port} to {link.other(host)}")
    if missing:
        raise HostError(
            f"no interface was found that leads where the topology says: {', '.join(missing)}; see to the "
            "cables, or name the interfaces in the inventory"
        )
    return found


def _leading_to(host: str, peer: str, wiring: Wiring, taken: Iterable[str]) -> Sequence[str]:
    pairs = [*wiring.items(), *((b, a) for a, b in wiring.items())]
    return sorted({a[1] for a, b in pairs if a[0] == host and b[0] == peer and a[1] not in taken})
