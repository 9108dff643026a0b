"""Flannel's backends ``ipip`` and ``wireguard``, with real flanneld and etcd, on a kernel that has them.

    python tests/kernels/run.py --memory 1500M env LAB_FLANNELD=… .venv/bin/python -m pytest -sv \\
        -p no:cacheprovider tests/kernels/test_flannel.py

User-mode Linux has no WireGuard: for that the same with `vm.py`.

Three hosts in a line are namespaces; as there is no Docker in that kernel, nobody takes up the
leases, and a link of every host has the lease's address in place of Docker's bridge.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from time import sleep

import pytest

from lab.hosts.daemons import PIDS
from overlays.flannel import overlay as flannel
from tests.kernels.namespaces import NamespaceHost, wire
from topologies import linear

NAMES = ("AMS", "PRG", "BRA")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not shutil.which("etcd"), reason="no etcd on PATH; install Debian's etcd-server"),
]


@pytest.fixture(autouse=True)
def without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the overlay asks of Docker is left out; everything else is done."""

    async def nothing(*_: object) -> bool:
        return False

    for module, name in (
        (flannel.endpoints, "refuse_beside_others"),
        (flannel.endpoints, "remove_all"),
        (flannel.docker_config, "change"),
        (flannel.docker_config, "restore"),
    ):
        monkeypatch.setattr(module, name, nothing)
    monkeypatch.setattr(flannel, "LEASE", 120.0)  # every iptables takes 0.1 s there
    monkeypatch.setenv("PATH", f"/run/bin:{os.environ['PATH']}")


async def take_up(host: NamespaceHost, overlay: flannel.Flannel) -> str:
    """Give a host the first address of its lease, and return it."""
    lease = overlay._leases[host.name]["FLANNEL_SUBNET"]
    await host.run(["ip", "link", "add", "taken", "type", "dummy"])
    await host.run(["ip", "addr", "add", lease, "dev", "taken"])
    await host.run(["ip", "link", "set", "taken", "up"])
    return lease.split("/")[0]


async def sent(host: NamespaceHost, device: str) -> int:
    """How many packets have left by the tunnel."""
    shown = json.loads((await host.run(["ip", "-j", "-s", "link", "show", device])).stdout)
    return int(shown[0]["stats64"]["tx"]["packets"])


async def pids(hosts: dict[str, NamespaceHost]) -> list[str]:
    return [(await host.run(["cat", f"{PIDS}/flanneld.pid"])).stdout for host in hosts.values()]


def has(kind: str) -> bool:
    """Whether this kernel has a kind of link; one like ipip's first device, which is always there, exists."""
    made = subprocess.run(["ip", "link", "add", "tried", "type", kind], capture_output=True, text=True)
    subprocess.run(["ip", "link", "del", "tried"], capture_output=True)
    return made.returncode == 0 or "File exists" in made.stderr


@pytest.mark.parametrize(
    ("backend", "device", "mtu"), [("ipip", "flannel.ipip", 1480), ("wireguard", "flannel-wg", 1420)]
)
def test_packets_go_over_two_hops(backend: str, device: str, mtu: int) -> None:
    if not has(backend):
        pytest.skip(f"this kernel has no link of the kind {backend!r}")
    topology = linear.topology(NAMES)
    hosts = {h.name: NamespaceHost(h.name, h.site, topology.addresses(h.name)) for h in topology.hosts}
    while not all(h.ready() for h in hosts.values()):
        sleep(0.1)
    for argv in wire(topology, hosts):
        subprocess.run(argv, check=True)

    async def all_of_it() -> None:
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        for host in hosts.values():
            await host.run(["sh", "-c", forward])
        overlay = flannel.Flannel(backend=backend)
        try:
            await overlay.install(list(hosts.values()), topology)
            await overlay.ready(60)
            # another process takes it up as it runs; what follows is done by it
            running = await pids(hosts)
            overlay = flannel.Flannel(backend=backend)
            await overlay.install(list(hosts.values()), topology)
            await overlay.ready(60)
            assert await pids(hosts) == running
            mode = await overlay.mode()
            assert (mode["mode"], mode["mtu"]) == (backend, str(mtu))
            own = {name: await take_up(host, overlay) for name, host in hosts.items()}
            await hosts["AMS"].run(
                ["ping", "-n", "-c", "1", "-W", "9", "-I", own["AMS"], own["BRA"]], check=False
            )
            before = await sent(hosts["AMS"], device)
            ping = ["ping", "-n", "-W", "5", "-I", own["AMS"], "-M", "do"]
            fits = await hosts["AMS"].run([*ping, "-c", "3", "-s", str(mtu - 28), own["BRA"]], check=False)
            long = await hosts["AMS"].run([*ping, "-c", "1", "-s", str(mtu - 27), own["BRA"]], check=False)
            assert " 0% packet loss" in fits.stdout, fits.stdout + fits.stderr
            assert "100% packet loss" in long.stdout
            assert await sent(hosts["AMS"], device) - before == 3
        finally:
            await overlay.uninstall()
        left = (await hosts["AMS"].run(["ip", "-br", "link"])).stdout
        assert "flannel" not in left

    try:
        asyncio.run(all_of_it())
    finally:
        for host in hosts.values():
            host.end()
