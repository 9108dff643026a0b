"""Emulated virtual machines: hosts that are reached over SSH and no other way.

Each has a control network on eth0, an sshd with a host key made for this one lab, a user who may
become root by sudo, and its data links as a new machine has them: down and without addresses.
The control network is a bridge in the lab's own namespace. Nothing of it is in the machine's;
who wants to reach the VMs enters that namespace.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import asyncssh

from lab.emulation.emulation import Emulation
from lab.emulation.links import netns
from lab.events import Emit, silent, step
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.hosts.host import Host, Secret
from lab.util.concurrency import together

#: RFC 2544's range for tests of devices; inside a namespace it meets nobody.
NETWORK, LENGTH = IPv4Address("198.18.0.0"), 16
BRIDGE, CONTROL = "control", "eth0"
USER = "tester"
SSHD = """\
HostKey /etc/ssh/lab_host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
"""


@dataclass(frozen=True)
class VmAccess:
    """Access to the VMs from inside `namespace`: addresses by name, and two files."""

    namespace: str
    addresses: Mapping[str, str]
    user: str
    key: Path
    known_hosts: Path


async def open_to_ssh(emulation: Emulation, run: RunCommand = command.run, emit: Emit = silent) -> VmAccess:
    """Turn the hosts of a lab that is up into VMs; its end removes all of them.

    Raises:
        CommandError: an sshd did not start.
    """
    folder = emulation.state.folder / "ssh"
    folder.mkdir(mode=0o700)
    names = list(emulation.hosts)
    with step(emit, "control network and sshd") as words:
        access = VmAccess(
            namespace=netns.of_lab(emulation.lab_id),
            addresses={name: str(NETWORK + number) for number, name in enumerate(names, 1)},
            user=USER,
            key=folder / "key",
            known_hosts=folder / "known_hosts",
        )
        await netns.batch("ip", access.namespace, control_lines(emulation.pids), run)
        keys = _keys(access)
        ports = {
            name: [link.interface(name) for link in emulation.links if name in (link.a, link.b)]
            for name in names
        }
        await together(
            _prepare(host, access, keys[name], ports[name]) for name, host in emulation.hosts.items()
        )
        words.append(f"{len(names)} VMs")
    return access


def control_lines(pids: Mapping[str, int]) -> list[str]:
    """Build `ip` lines, for the lab's namespace, that make the control network."""
    lines = [
        f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"addr add {NETWORK + 0xFFFE}/{LENGTH} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    ]
    for number, pid in enumerate(pids.values(), 1):
        port = f"c{number}"
        lines += [
            f"link add {port} type veth peer name {CONTROL} netns {netns.path(pid)}",
            f"link set {port} master {BRIDGE} up",
        ]
    return lines


def _keys(access: VmAccess) -> dict[str, asyncssh.SSHKey]:
    """Make all keys of a rehearsal; returns the VMs' own, which known_hosts then has."""
    user = asyncssh.generate_private_key("ssh-ed25519")
    user.write_private_key(str(access.key))
    access.key.chmod(0o600)
    user.write_public_key(f"{access.key}.pub")
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in access.addresses}
    lines = [f"{access.addresses[name]} {key.export_public_key().decode()}" for name, key in keys.items()]
    access.known_hosts.write_text("".join(lines))
    return keys


async def _prepare(host: Host, access: VmAccess, key: asyncssh.SSHKey, ports: Sequence[str]) -> None:
    """Make a host a VM, by the input of a shell: no key is in any argv."""
    host_key, allowed = key.export_private_key().decode(), Path(f"{access.key}.pub").read_text()
    down = "".join(f"ip addr flush dev {port}\nip link set {port} down\n" for port in ports)
    script = f"""\
umask 077
ip addr add {access.addresses[host.name]}/{LENGTH} dev {CONTROL}
ip link set lo up
ip link set {CONTROL} up
{down}grep -q "$(hostname)" /etc/hosts || echo "127.0.1.1 $(hostname)" >> /etc/hosts
useradd --create-home --shell /bin/sh --password '*' {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
printf %s {shlex.quote(host_key)} > /etc/ssh/lab_host_key
printf %s {shlex.quote(SSHD)} > /etc/ssh/sshd_config
for home in /root /home/{USER}; do
    mkdir -p "$home/.ssh"
    printf %s {shlex.quote(allowed)} > "$home/.ssh/authorized_keys"
done
chown -R {USER}: /home/{USER}/.ssh
mkdir -p -m 755 /run/sshd
/usr/sbin/sshd
"""
    await host.run(["sh", "-eu"], stdin=Secret(script.encode(), {f"ssh host key of {host.name}": host_key}))
