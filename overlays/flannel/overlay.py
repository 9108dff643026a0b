"""Flannel: every host leases a subnet, its bridge hands out that subnet, and flanneld connects them.

What carries packets between hosts is the backend: VXLAN in the kernel, a user-space tunnel
(``udp``), plain routes (``host-gw``), IP in IP, or WireGuard. All send straight from host to
host, so the lab adds static routes over the links.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from lab.errors import OverlayError
from lab.hosts.daemons import status_argv
from lab.hosts.host import Endpoint, Host, HostFacts, Result
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import ENDPOINT_IMAGE, NO_TUN, Missing, Option, Overlay
from overlays.common import binaries, endpoints, install_record, iptables, routes, tls
from overlays.common.batch import Batch
from overlays.common.etcd import Etcd
from overlays.flannel import bridge, flanneld

#: How long flanneld may take to lease a subnet (s); a second or two as a rule.
LEASE = 30.0
PREFIX = "/coreos.com/network"
PORT = 2389
HEALTH = 8287
SUBNET_FILE = "/run/flannel/subnet.env"
#: How often a flanneld is started again that was given a subnet which another took meanwhile, and its last
#: words then (flannel v0.28 means to try again by itself and does not).
AGAIN, TAKEN = 10, "subnet already exists"
#: True when the lease is there, or flanneld is no longer (1 says start-stop-daemon of one that has ended).
LEASED_OR_ENDED = f"test -s {SUBNET_FILE} || {{ {shlex.join(status_argv('flanneld'))}; [ $? = 1 ]; }}"
RULES = re.compile(r"\bFLANNEL-|flanneld|-[io] (flannel\S*|docker0)\b.*flannel")
DEVICES = ("flannel.1", "flannel0", "flannel.ipip", "flannel-wg")
#: The tunnel of a backend that has one route for all hosts; who has which subnet is inside it.
ONE_ROUTE = {"udp": "flannel0", "wireguard": "flannel-wg"}
#: The kind of link that a backend's device is, where it has one.
NEEDS = {"vxlan": "vxlan", "ipip": "ipip", "wireguard": "wireguard"}


class Flannel(Overlay):
    """flanneld on every host, leases in etcd, the endpoints' bridge (Docker's own) on the leased subnet."""

    name = "flannel"
    summary = "Flannel: a subnet per host, joined by VXLAN, UDP, routes, IPIP or WireGuard"
    hops = "routed underlay"
    modes = ("vxlan", "udp", "host-gw", "ipip", "wireguard")
    options = (
        Option("backend", "vxlan", modes, "what carries packets between hosts"),
        Option("directrouting", "off", ("on", "off"), "vxlan: plain routes between hosts on one link"),
        Option("subnet", "10.100.0.0/16", (), "the network that hosts lease a /24 of"),
    )

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self._store: Etcd | None = None
        self._leases: dict[str, Mapping[str, str]] = {}

    @classmethod
    def obtainable(cls) -> Missing | None:
        if flanneld.here() or flanneld.program():
            return None
        return Missing("no flanneld is here, and no Go to build it", flanneld.REMEDY)

    @classmethod
    def fetch(cls) -> None:
        flanneld.program()

    @property
    def user_space(self) -> bool:
        return self._backend == "udp"

    @property
    def encrypts(self) -> bool:
        return self._backend == "wireguard"

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        missing, kind = [], NEEDS.get(self._backend)
        if kind and kind not in facts.link_kinds:
            missing.append(Missing(f"the link kind {kind!r} in its kernel", f"load the {kind} module"))
        if self._backend == "udp" and "tun" not in facts.features:
            missing.append(NO_TUN)
        if "bridge-nf" not in facts.features:
            missing.append(Missing("bridges that iptables sees", "load the br_netfilter module"))
        return missing

    @property
    def _backend(self) -> str:
        return self.settings["backend"]

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        self._refuse_hops(hosts, topology)
        before = await self.installed(hosts)
        await self._refuse_beside_others(before.new, "setting")
        copy = binaries.Copy(await binaries.obtain("flannel: no flanneld", flanneld.program, flanneld.REMEDY))
        chosen = await self.claim(hosts, before, store=hosts[0].name)
        keeper = self.host_with(chosen["store"], "its store")
        self._store = Etcd(self.name, keeper, topology.address(keeper.name), PORT)
        await self._store.prepare()
        await together(
            [self._start_store(), *(self._prepare(h, copy) for h in self.hosts)], on_failure="cancel"
        )
        await self.on_hosts(self._start)

    async def _refuse_beside_others(self, hosts: Sequence[Host], doing: str) -> None:
        what = f"{doing} Docker's bridge"
        await together(endpoints.refuse_beside_others(self.name, host, what) for host in hosts)

    def _refuse_hops(self, hosts: Sequence[Host], topology: Topology) -> None:
        """Routes between hosts lead to gateways on a link of their own; over hops the kernel takes none."""
        if self._backend != "host-gw":
            return
        for host in hosts:
            links = {link.other(host.name): link for link in topology.links_of(host.name)}
            near = {name for name, link in links.items() if link.address(name) == topology.address(name)}
            if far := [h.name for h in hosts if h.name not in {host.name, *near}]:
                raise OverlayError(
                    f"flannel: backend host-gw needs every host on one link, and {host.name} shares none "
                    f"with {far[0]}; use another backend, or a topology of two hosts"
                )

    async def _start_store(self) -> None:
        assert self._store is not None, "install made it"
        await self._store.start()
        await self._store.etcdctl("put", f"{PREFIX}/config", value=json.dumps(self.configuration()))

    def configuration(self) -> Mapping[str, Any]:
        """Return what flanneld reads under its prefix; the backend's type is always said."""
        backend: dict[str, Any] = {"Type": self._backend}
        if self._backend == "vxlan":
            backend |= {"VNI": 1, "Port": 8472, "DirectRouting": self.settings["directrouting"] == "on"}
        return {"Network": self.settings["subnet"], "SubnetLen": 24, "Backend": backend}

    async def _prepare(self, host: Host, copy: binaries.Copy) -> None:
        assert self._store is not None, "install made it"
        await self._store.admit(routes.add(Batch(), host.name, self.topology, self.name), host).on(host)
        await binaries.put_once(host, copy, flanneld.ON_HOST)

    def argv(self, host: Host) -> list[str]:
        """Return the command of a host's flanneld."""
        assert self._store is not None, "install made it"
        address = self.topology.address(host.name)
        return [
            *(flanneld.ON_HOST, f"-etcd-endpoints={self._store.url}", f"-etcd-prefix={PREFIX}"),
            *(f"-iface={address}", f"-public-ip={address}", "-ip-masq", f"-subnet-file={SUBNET_FILE}"),
            *("-healthz-ip=127.0.0.1", f"-healthz-port={HEALTH}"),
            f"-etcd-cafile={self._store.file(tls.AUTHORITY)}",
            f"-etcd-certfile={self._store.file(tls.CLIENT)}",
            f"-etcd-keyfile={self._store.file(tls.key_of(tls.CLIENT))}",
        ]

    async def _start(self, host: Host) -> None:
        """Start flanneld, and put the endpoints' bridge on its lease, as mk-docker-opts.sh does elsewhere."""
        result = await self._lease(host)
        lease = parse_lease(result.stdout)
        self._leases[host.name] = lease
        await bridge.put_on_lease(host, self.name, lease, result.stdout)

    async def _lease(self, host: Host, again: int = AGAIN) -> Result:
        """Start flanneld until it has a subnet of its own; prints that, and the address of Docker's bridge.

        It picks one of the first hundred that are free. Who is given one that another took meanwhile ends,
        and picks anew when it is started again, as it is elsewhere by what watches over it.
        """
        batch = Batch().run(["mkdir", "-p", "/run/flannel"]).start("flanneld", self.argv(host))
        batch.wait(["sh", "-c", LEASED_OR_ENDED], LEASE)
        batch.run(["cat", SUBNET_FILE]).show(["ip", "-o", "-4", "addr", "show", "docker0"])
        result = await batch.on(host, timeout=LEASE + 30, check=False)
        if not result.status:
            return result
        try:
            await self.check_daemon(host, "flanneld")
        except OverlayError as error:
            if again and TAKEN in str(error):
                return await self._lease(host, again - 1)
            raise
        raise OverlayError(f"flannel: flanneld on {host.name} got no lease in {LEASE:g} s; see its log")

    async def ready(self, timeout: float = 60.0) -> None:
        await self.wait_for(self._lacking, timeout, "its routes")

    async def _lacking(self, host: Host) -> str:
        """Return the other hosts' subnets that this one has no route to, as flanneld has set none yet."""
        healthy = ["curl", "-sSf", "--max-time", "3", f"http://127.0.0.1:{HEALTH}/healthz"]
        batch = Batch().run(healthy, quiet=True).run(["ip", "route", "show", "root", self.settings["subnet"]])
        result = await batch.on(host, check=False)
        if result.status:
            await self.check_daemon(host, "flanneld")
            return result.stderr.strip() or "flanneld does not answer yet"
        if tunnel := ONE_ROUTE.get(self._backend):
            return "" if tunnel in result.stdout else "no route into its tunnel"
        others = [other.name for other in self.reachable(host)]
        missing = [name for name in others if self._network(name) not in result.stdout]
        return f"no route to {', '.join(missing)}" if missing else ""

    def _network(self, host: str) -> str:
        """Return a host's leased subnet, as a route names it (``10.100.7.0/24``)."""
        address, _, length = self._leases[host]["FLANNEL_SUBNET"].partition("/")
        return f"{address.rsplit('.', 1)[0]}.0/{length}"

    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        port = bridge.port(self._leases[host.name])
        return await endpoints.attach(self.name, host, image, name, "bridge", port=port)

    async def mode(self) -> Mapping[str, str]:
        direct = {"directrouting": "on"} if self.settings["directrouting"] == "on" else {}
        mtus = {lease["FLANNEL_MTU"] for lease in self._leases.values()}
        return {"mode": self._backend, "mtu": "+".join(sorted(mtus)), **direct}

    async def report(self) -> Mapping[str, Any]:
        shown = ["ip", "-s", "-d", "link", "show"]
        batch = Batch().run(["cat", SUBNET_FILE])
        batch.run(["ip", "route", "show", "root", self.settings["subnet"]])
        for device in DEVICES:
            batch.show([*shown, device])
        results = await self.on_hosts(lambda host: batch.on(host, check=False))
        return {name: result.stdout for name, result in results.items()}

    def daemons(self, host: Host) -> Sequence[str]:
        return ("flanneld", "etcd-flannel") if self._store and host is self._store.host else ("flanneld",)

    async def relaunch(self) -> None:
        await self.on_hosts(lambda host: host.stop("flanneld"))
        await self.on_hosts(self._start)
        await self.ready()

    async def rewire(self, topology: Topology) -> None:
        self._refuse_hops(self.hosts, topology)
        await self.reroute(topology)

    async def join(self, host: Host) -> None:
        await self.install((*self.hosts, host), self.topology)

    async def leave(self, host: Host) -> None:
        """Remove a host, and its lease from the store: the others then drop their routes to it."""
        assert self._store is not None, "it is installed"
        if host is self._store.host:
            raise OverlayError(
                f"flannel cannot lose {host.name}, which has the store; uninstall it on all hosts"
            )
        await self._remove(host)
        subnet = self._network(host.name).replace("/", "-")
        await self._store.etcdctl("del", f"{PREFIX}/subnets/{subnet}")
        self.hosts = tuple(h for h in self.hosts if h is not host)
        del self._leases[host.name]

    async def uninstall(self) -> None:
        await self._refuse_beside_others(self.hosts, "resetting")
        await together(self._remove(host) for host in self.hosts)
        if self._store is not None:
            await self._store.remove()
        self.hosts, self._store, self._leases = (), None, {}

    async def _remove(self, host: Host) -> None:
        """Endpoints first, then flanneld, then the bridge as it was; at last what is left."""
        await endpoints.remove_all(self.name, host)
        await Batch().stop("flanneld").on(host)
        await bridge.take_back(host, self.name)
        gone = Batch()
        for device in DEVICES:
            gone.attempt(["ip", "link", "del", device])
        gone.attempt(["ip", "route", "flush", "root", self.settings["subnet"]])
        gone.run(["rm", "-rf", "/run/flannel", flanneld.ON_HOST, binaries.stamp(flanneld.ON_HOST)])
        if self._store is not None and host is not self._store.host:
            self._store.forget(gone)
        await routes.drop(gone, self.name).on(host)
        await iptables.remove(host, RULES)
        await install_record.drop(Batch(), self.name).on(host)


def parse_lease(text: str) -> Mapping[str, str]:
    """Read the values in the file that flanneld writes for Docker."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value for key, _, value in pairs}
