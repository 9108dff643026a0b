"""A hub: on every host a daemon of forty lines that hands each Ethernet frame on to its neighbours.

An overlay is a subclass of `Overlay`. It works on its hosts only through `lab.hosts.host.Host`: `run`,
`start`, `put`, … So it runs on emulated hosts and on real machines, and cannot tell which they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import networkx as nx

from lab.errors import OverlayError
from lab.hosts.daemons import log_file
from lab.hosts.host import Endpoint, Host, HostFacts
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import ENDPOINT_IMAGE, NO_TUN, Missing, Option, Overlay
from overlays.common import endpoints, install_record
from overlays.common.batch import Batch
from overlays.common.bridge import BridgeNetwork

DAEMON = "hubd"
#: The program beside this file, and where it lies on a host.
PROGRAM, ON_HOST = Path(__file__).with_name("hubd"), "/usr/local/lib/lab/hubd"
PORT, INTERFACE, NETWORK, BRIDGE = 6900, "hub0", "lab-hub", "br-hub"


class Hub(Overlay):
    """One hubd per host. Its interface is a port of a Docker bridge, to which endpoints are attached."""

    # The name is the entry point's. `summary`, `modes` and `options` are what `lab list overlays` shows.
    name = "hub"
    summary = "a hub in user space, hop by hop (the example for authors)"
    hops = "overlay"
    modes = ("hub",)
    options = (
        Option("mtu", "1400", (), "bytes", number=True),
        Option("subnet", "10.70.0.0/16", (), "addresses of endpoints; every host has a /24 of it"),
    )

    @property
    def user_space(self) -> bool:
        """True: every packet goes through hubd. So a run warns of a rate that is clearly too high for it."""
        return True

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        """Return what a host with these facts lacks; each `Missing` has the remedy."""
        return () if "tun" in facts.features else (NO_TUN,)

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        """Check everything first, then work on all hosts at the same time. Twice changes nothing."""
        self.topology = topology
        if not nx.is_forest(topology.graph):
            raise OverlayError(
                f"hub: topology {topology.name} has a ring, in which frames would run for ever"
            )
        await self.require(hosts)  # raises for what `prerequisites` finds
        await self.claim(hosts, await self.installed(hosts))  # from here on they are `self.hosts`
        await self.on_hosts(self._start)

    async def _start(self, host: Host) -> None:
        await self._network.create(host, self.number(host))
        await host.put(PROGRAM.read_bytes(), ON_HOST, mode=0o755)
        # A daemon that runs is left as it is. Its output goes to /var/log/lab/hubd.log on the host.
        words = [str(PORT), INTERFACE, BRIDGE, self.settings["mtu"], *self._peers(host)]
        await host.start(DAEMON, [ON_HOST, *words])

    @property
    def _network(self) -> BridgeNetwork:
        return BridgeNetwork(self.name, NETWORK, BRIDGE, self.settings["subnet"], self.settings["mtu"])

    def _peers(self, host: Host) -> list[str]:
        """Return the addresses of the neighbours, each on the link to it."""
        links = self.topology.links_of(host.name)
        return [str(link.address(link.other(host.name))) for link in links]

    async def ready(self, timeout: float = 60.0) -> None:
        """Ask for the overlay's own status until nothing is missing; never sleep for a fixed time."""
        await self.wait_for(self._lacking, timeout, "its neighbours")

    async def _lacking(self, host: Host) -> str:
        await self.check_daemon(host, DAEMON)
        log = (await host.run(["cat", log_file(DAEMON)], check=False)).stdout
        heard = re.findall(r"^neighbour (\S+) is there$", log, re.MULTILINE)
        missing = [address for address in self._peers(host) if address not in heard]
        return f"nothing heard of {', '.join(missing)}" if missing else ""

    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        return await endpoints.attach(self.name, host, image, name, NETWORK)

    async def mode(self) -> Mapping[str, str]:
        """Return the present mode, stored with every sample; with several modes, ask the daemons."""
        return {"mode": "hub", "mtu": self.settings["mtu"]}

    def daemons(self, host: Host) -> Sequence[str]:
        """Return the daemons to watch while samples are measured; `lab logs hub` prints their output."""
        return (DAEMON,)

    async def uninstall(self) -> None:
        """Leave every host as it was; a failure on one does not stop the others."""
        await together(self._remove(host) for host in self.hosts)
        self.hosts = ()

    async def _remove(self, host: Host) -> None:
        await endpoints.remove_all(self.name, host)
        # One entry of the host for all commands. What may be gone already is an attempt.
        gone = Batch().stop(DAEMON).attempt(["docker", "network", "rm", NETWORK]).run(["rm", "-f", ON_HOST])
        await install_record.drop(gone, self.name).on(host)
