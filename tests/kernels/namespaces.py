"""Hosts without containers: a network namespace and a mount namespace each, for kernels without Docker."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.hosts import command
from lab.hosts.base import BaseHost
from lab.hosts.host import Result
from lab.topology import Topology

#: Where a host has files of its own; everything else is the machine's.
OWN = ("/run", "/var/lib", "/var/log", "/usr/local/lib")


class NamespaceHost(BaseHost):
    """A host that is a process in namespaces of its own."""

    def __init__(self, name: str, site: str, addresses: Sequence[str]) -> None:
        super().__init__(name, site, addresses)
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", mounts() + "; exec sleep 3600"]
        )

    @property
    def pid(self) -> int:
        return self._holder.pid

    def path(self, program: str) -> str:
        return f"/proc/{self.pid}/root{program}"

    def ready(self) -> bool:
        """Whether the namespaces and all mounts are there."""
        return Path(f"/proc/{self.pid}/comm").read_text().strip() == "sleep"

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        full = ["nsenter", f"--target={self.pid}", "--net", "--mount", "--", *argv]
        return await command.run(full, on=self.name, timeout=timeout, check=False, stdin=stdin, env=env)

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()


def mounts() -> str:
    """Shell text: empty file systems where a host writes, and its own legacy iptables."""
    lines = [f"mount -t tmpfs own {folder}" for folder in OWN]
    lines += ["mkdir -p /run/bin /run/tmp", "ip link set lo up"]
    lines += [f"ln -s /usr/sbin/{p.replace('tables', 'tables-legacy')} /run/bin/{p}" for p in PROGRAMS]
    return " && ".join(lines)


#: This kernel has no nftables of its own for these.
PROGRAMS = ("iptables", "iptables-save", "iptables-restore")


def wire(topology: Topology, hosts: Mapping[str, NamespaceHost]) -> list[list[str]]:
    """The commands that lay every link of a topology between hosts, unshaped."""
    lines = []
    for link in topology.links:
        a, b = hosts[link.a], hosts[link.b]
        ends = [link.interface_a, "netns", str(a.pid)], [link.interface_b, "netns", str(b.pid)]
        lines.append(["ip", "link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1]])
        for host, device, address in (
            (a, link.interface_a, link.address_a),
            (b, link.interface_b, link.address_b),
        ):
            inside = ["nsenter", f"--target={host.pid}", "--net", "ip"]
            lines.append([*inside, "addr", "add", f"{address}/{link.prefix}", "dev", device])
            lines.append([*inside, "link", "set", device, "up"])
    return lines
