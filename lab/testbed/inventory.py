"""The inventory: which machine is which host of a topology, and which of its interfaces is which port.

It holds no secret: keys are named by their files, and nothing asks for a password.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import FileError, InventoryError, LabError, TopologyError, nearest
from lab.formats import yaml_loader
from lab.hosts.ssh_connection import SshSettings
from lab.topology import Topology
from lab.util import documents

BOUNDS = documents.Bounds("inventory", size=2 * documents.MIB)
AUTO = "auto"
JUMP = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<address>\[[^\]\s]+\]|[^:@\s]+)(?::(?P<port>\d+))?")
#: What stands for an address in a template.
TO_FILL_IN = "ADDRESS"

Port = Annotated[int, Field(ge=1, le=65535)]


class SshAccess(BaseModel):
    """Access to machines over SSH; defaults come from ~/.ssh/config, keys and agent."""

    model_config = ConfigDict(extra="forbid")

    user: str | None = Field(
        default=None, description="who logs in: root, or a user with sudo without a password"
    )
    port: Port | None = Field(
        default=None, description="22 where neither this nor ~/.ssh/config says otherwise"
    )
    key: str | None = Field(
        default=None, description="file of a private key; the agent and the usual files without"
    )
    jump: str | None = Field(default=None, description="a machine to go by: [user@]address[:port]")


class Ssh(SshAccess):
    """Access to all machines that do not say otherwise."""

    known_hosts: str | None = Field(default=None, description="~/.ssh/known_hosts where this says nothing")
    config: str | None = Field(default=None, description="~/.ssh/config where this says nothing")


class Machine(SshAccess):
    """One machine."""

    address: str = Field(description="name or address on the control network, or a Host of ~/.ssh/config")
    ports: dict[str, str] = Field(
        default_factory=dict,
        description="per port of the topology (eth1 …): an interface's name, its MAC address, or auto",
    )


class Inventory(BaseModel):
    """``inventory.yaml``; see docs/reference/inventory.md."""

    model_config = ConfigDict(extra="forbid")

    topology: str = Field(description="name of a topology, or of a file beside the inventory")
    ssh: Ssh = Field(default_factory=Ssh)
    hosts: dict[str, Machine]

    def ssh_settings(self, name: str, beside: Path, *, accept_new: bool = False) -> SshSettings:
        """Return how the machine of this name is reached; files are named from the inventory's own folder."""
        own, ssh = self.hosts[name], self.ssh
        key, jump = own.key or ssh.key, own.jump or ssh.jump
        way = SshSettings(
            name,
            own.address,
            own.port or ssh.port,
            own.user or ssh.user,
            keys=(str(_file(key, beside)),) if key else (),
            known_hosts=_file(ssh.known_hosts, beside),
            config=_file(ssh.config, beside),
            accept_new=accept_new,
        )
        return replace(way, jump=_jump(jump, way)) if jump else way


def _file(name: str | None, beside: Path) -> Path | None:
    return beside / Path(name).expanduser() if name else None


def _jump(words: str, way: SshSettings) -> SshSettings:
    found = JUMP.fullmatch(words)
    assert found, "checked when it was read"
    port = int(found["port"]) if found["port"] else None
    return replace(
        way,
        name=f"jump host {words}",
        address=found["address"].strip("[]"),
        port=port,
        user=found["user"] or way.user,
    )


def read(path: Path) -> Inventory:
    """Read the inventory in a file.

    Raises:
        InventoryError: naming every fault.
        FileError: it cannot be read.
    """

    def refuse(words: str) -> LabError:
        if "cannot be read" in words:
            return FileError(f"{words}; 'lab testbed inventory TOPOLOGY' writes one")
        return InventoryError(str(path), [words.removeprefix(str(path)).lstrip(": ")])

    try:
        return documents.read(path, lambda text: _parsed(text, str(path)), refuse, BOUNDS)
    except TopologyError as error:
        raise refuse(str(error)) from error


def _parsed(text: str, source: str) -> Inventory:
    data, place = yaml_loader.located(text, source)
    try:
        return Inventory.model_validate(data)
    except ValidationError as error:
        raise InventoryError(source, [_fault(one, place(one["loc"])) for one in error.errors()]) from error


def _fault(one: Mapping[str, Any], place: str) -> str:
    return f"line {place[1:] or 1}: {'.'.join(map(str, one['loc'])) or 'it'}: {one['msg'].lower()}"


def check(inventory: Inventory, topology: Topology, source: str) -> None:
    """Refuse an inventory without a machine for every host, and a port for every end of a link.

    Raises:
        InventoryError: naming every fault.
    """
    if faults := list(_faults(inventory, topology)):
        raise InventoryError(source, faults)


def _faults(inventory: Inventory, topology: Topology) -> Iterator[str]:
    names = [host.name for host in topology.hosts]
    for name in names:
        if name not in inventory.hosts:
            yield f"host {name} of topology {topology.name} is missing"
    for name, machine in inventory.hosts.items():
        if name not in names:
            hint = f"; did you mean {near}?" if (near := nearest(name, names)) else ""
            yield f"{name} is no host of topology {topology.name}{hint}"
            continue
        if machine.address == TO_FILL_IN:
            yield f"{name} has no address yet"
        yield from _jump_faults(name, machine)
        yield from _port_faults(name, machine, topology)
    yield from _jump_faults("ssh", inventory.ssh)


def _jump_faults(name: str, access: SshAccess) -> Iterator[str]:
    if access.jump and not JUMP.fullmatch(access.jump):
        yield f"{name}: jump {access.jump!r} is not [user@]address[:port]"


def _port_faults(name: str, machine: Machine, topology: Topology) -> Iterator[str]:
    wanted = {link.interface(name) for link in topology.links_of(name)}
    for port in sorted(set(machine.ports) - wanted):
        yield f"{name} has no port {port} in topology {topology.name}; it has {', '.join(sorted(wanted))}"
    for port in sorted(wanted - set(machine.ports)):
        yield f"{name}: port {port} names no interface; give its name, its MAC address, or auto"
    given = [value.lower() for value in machine.ports.values() if value != AUTO]
    for value in sorted({v for v in given if given.count(v) > 1}):
        yield f"{name}: two ports are both {value}"


def template(topology: Topology, name: str) -> str:
    """Return an inventory to fill in, with a comment at every port on what it leads to."""
    lines = [
        f"# Which machine is which host of {topology.name}: fill in the addresses.",
        "# docs/reference/inventory.md describes every field.",
        f"topology: {name}",
        "ssh:",
        "  user: root        # or a user with sudo without a password",
        "  # key: ~/.ssh/id_ed25519      without one: the agent and the usual files",
        "  # jump: me@gateway.example:22",
        "hosts:",
    ]
    for host in topology.hosts:
        place = f" at {host.site}" if host.site else ""
        lines += [
            f"  {host.name}:",
            f"    address: {TO_FILL_IN}   # of the machine{place}, for SSH; not of a port below",
        ]
        links = topology.links_of(host.name)
        lines += ["    ports:   # an interface's name, its MAC address, or auto"] if links else []
        for link in links:
            address = f"{link.address(host.name)}/{link.prefix}"
            port = f"      {link.interface(host.name)}: auto"
            lines.append(f"{port}   # {link.name}: {address}, to {link.other(host.name)}")
    return "\n".join(lines) + "\n"


def write(inventory: Inventory) -> str:
    """Return the inventory as YAML, without the fields that were left out."""
    return yaml_loader.dump(inventory.model_dump(exclude_none=True, exclude_defaults=True))


def schema() -> str:
    """Return the JSON Schema of an inventory, as text."""
    return json.dumps(Inventory.model_json_schema(), indent=2) + "\n"
