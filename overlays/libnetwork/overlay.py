"""Docker's own overlay driver (libnetwork): VXLAN between the hosts, in their kernels.

Two modes. ``kv`` is the thesis's: every Docker daemon meets the others in a key-value store
(Docker up to 20.10). ``swarm`` is what came after it: the daemons form a cluster. Both send
straight from host to host, so the lab adds static routes over the links.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lab.errors import OverlayError
from lab.hosts.host import Endpoint, Host, HostFacts
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import ENDPOINT_IMAGE, NO_DOCKER, NO_ESP, Missing, Option, Overlay
from overlays.common import docker_api, docker_config, endpoints, install_record, routes, tls
from overlays.common.batch import Batch
from overlays.common.etcd import Etcd
from overlays.common.polling import until
from overlays.libnetwork import gossip

NETWORK = "lab"
#: Bytes that VXLAN adds: outer IPv4, UDP and VXLAN headers, and the inner Ethernet header.
VXLAN = 50
#: Bytes that Docker reserves for IPsec's header and padding.
ESP = 26
#: Where the kernels' tunnels meet (UDP).
TUNNEL = 4789
#: Where the daemons of the cluster gossip (TCP and UDP).
GOSSIP = 7946
#: Where the cluster's manager listens (TCP).
CLUSTER = 2377
LAST_WITH_KV = (20, 10)
#: Docker's own port in the cluster store; nothing listens there, it is only a name.
ADVERTISED = 2376


class Libnetwork(Overlay):
    """Networks of the driver ``overlay``, across the Docker daemons of all hosts."""

    name = "libnetwork"
    summary = "Docker's own overlay networks: VXLAN in the kernel, straight from host to host"
    hops = "routed underlay"
    modes = ("kv", "swarm")
    options = (
        Option(
            "mode", "auto", ("auto", "kv", "swarm"), "how the daemons meet; auto is kv where Docker has it"
        ),
        Option("encryption", "off", ("on", "off"), "IPsec between hosts; swarm only"),
        Option("subnet", "10.50.0.0/16", (), "addresses of endpoints"),
    )

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        if self.settings["encryption"] == "on" and self.settings["mode"] == "kv":
            raise OverlayError("libnetwork encrypts only in mode=swarm; leave out mode=kv or encryption=on")
        self._swarm = self.settings["mode"] == "swarm" or self.settings["encryption"] == "on"
        self._store: Etcd | None = None
        self._meets: Host | None = None

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        missing = [] if facts.docker else [NO_DOCKER]
        if "vxlan" not in facts.link_kinds:
            missing.append(Missing("the link kind 'vxlan' in its kernel", "load the vxlan module"))
        if self.settings["mode"] == "kv" and facts.docker[:2] > LAST_WITH_KV:
            missing.append(Missing("a Docker with cluster stores (up to 20.10)", "use mode=swarm"))
        if self._encrypted and "esp" not in facts.features:
            missing.append(NO_ESP)
        return missing

    @property
    def mtu(self) -> int:
        """The MTU of endpoints, bytes, as Docker reckons it: the links', less VXLAN's and IPsec's headers."""
        least = self._link_mtu - VXLAN - (ESP if self._encrypted else 0)
        return least - (least % 4 if self._encrypted else 0)

    @property
    def _link_mtu(self) -> int:
        return min(link.mtu for link in self.topology.links)

    @property
    def _encrypted(self) -> bool:
        return self.settings["encryption"] == "on"

    @property
    def _meeting(self) -> Host:
        """The host with the store, or with the cluster's manager."""
        assert self._meets is not None, "install chooses it"
        return self._meets

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        before = await self.installed(hosts)
        swarm = self._swarm
        if self.settings["mode"] == "auto" and not swarm:
            facts = await together(host.facts() for host in hosts)
            swarm = any(one.docker[:2] > LAST_WITH_KV for one in facts)
        chosen = await self.claim(hosts, before, meets=centre(hosts, topology).name, swarm=swarm)
        self._swarm = chosen["swarm"]
        self._meets = self.host_with(chosen["meets"], "its manager" if self._swarm else "its store")
        await (self._install_swarm() if self._swarm else self._install_kv())

    async def _install_kv(self) -> None:
        self._store = Etcd(self.name, self._meeting, self.topology.address(self._meeting.name), 2379)
        await self._store.prepare()
        await together([self._store.start(), self.on_hosts(self._add_routes)], on_failure="cancel")
        changed = await self.on_hosts(self._write_settings)
        new = [host for host in self.hosts if changed[host.name]]
        for host in sorted(new, key=lambda h: h is not self._meeting):
            await self._meet(host)
        await self.add_network(NETWORK, self.settings["subnet"])

    async def _add_routes(self, host: Host) -> None:
        batch = routes.add(Batch(), host.name, self.topology, self.name)
        if self._store is not None:
            self._store.admit(batch, host)
        await routes.add_tunnel(batch, host.name, self.topology, self.name, TUNNEL).on(host)

    async def _write_settings(self, host: Host) -> bool:
        """Write down for a Docker daemon where the others meet; False when it knows."""
        assert self._store is not None, "kv mode has a store"
        settings = {
            "cluster-store": f"etcd://{self._store.address}:{self._store.port}",
            "cluster-advertise": f"{self.topology.address(host.name)}:{ADVERTISED}",
            "cluster-store-opts": {
                "kv.cacertfile": self._store.file(tls.AUTHORITY),
                "kv.certfile": self._store.file(tls.CLIENT),
                "kv.keyfile": self._store.file(tls.key_of(tls.CLIENT)),
            },
        }
        return await docker_config.change(host, self.name, settings)

    async def _meet(self, host: Host) -> None:
        """Let a daemon register, and wait until it listens for its peers.

        One after the other: a daemon tries once to join a peer that it finds in the store. One
        that is registered and does not listen yet is lost for it, and the peers stay in two parts.
        """
        listens = ["ss", "-Hltn", "sport", "=", f":{GOSSIP}"]
        await docker_config.reload().wait(listens, 10, "LISTEN").on(host)

    async def _install_swarm(self) -> None:
        await self.on_hosts(self._add_routes)
        await self._cluster(self._meeting, "swarm/init", {})
        answer = await docker_api.call(self._meeting, "GET", "swarm", private=True)
        if not answer.ok:
            raise OverlayError(f"libnetwork: no cluster on {self._meeting.name}: {answer.message}")
        await self._remove_ingress()
        manager = f"{self.topology.address(self._meeting.name)}:{CLUSTER}"
        token = answer.json["JoinTokens"]["Worker"]
        how = {"RemoteAddrs": [manager], "JoinToken": token}
        secrets = {"swarm join token": token}
        others = [host for host in self.hosts if host is not self._meeting]
        await together((self._cluster(h, "swarm/join", how, secrets) for h in others), on_failure="cancel")
        await self.add_network(NETWORK, self.settings["subnet"])

    async def _remove_ingress(self) -> None:
        """Remove the network for published ports, which every node would attach itself to first.

        While nodes did, attaching an endpoint to another network failed now and then (Docker 20.10).
        """
        what = f"libnetwork: a cluster without ingress on {self._meeting.name}"
        await self._insist("DELETE", "networks/ingress", None, what, docker_api.NOT_FOUND)

    async def _cluster(
        self, host: Host, path: str, more: Mapping[str, Any], secrets: Mapping[str, str] | None = None
    ) -> None:
        """Let a daemon begin a cluster or join one; one that is in it stays."""
        own = {"ListenAddr": f"0.0.0.0:{CLUSTER}", "AdvertiseAddr": self.topology.address(host.name)}
        answer = await docker_api.call(host, "POST", path, {**own, **more}, secrets=secrets)
        if not answer.ok and answer.status != docker_api.ALREADY:
            raise OverlayError(f"libnetwork: {path} on {host.name}: {answer.message}")

    async def add_network(self, name: str, subnet: str) -> None:
        """Make one more network beside the first; its endpoints are isolated from those of the others.

        Raises:
            OverlayError: Docker refused; the message has its words.
        """
        if (await docker_api.call(self._meeting, "GET", f"networks/{name}")).ok:
            return
        wanted = network(name, subnet, self._link_mtu, swarm=self._swarm, encrypted=self._encrypted)
        what = f"libnetwork: network {name!r} on {self._meeting.name}"
        await self._insist("POST", "networks/create", wanted, what)

    async def _insist(
        self, method: str, path: str, body: Mapping[str, Any] | None, what: str, *also: int
    ) -> None:
        """Repeat a request until Docker does it, or answers with one of `also`."""

        async def refusal() -> str:
            answer = await docker_api.call(self._meeting, method, path, body)
            return "" if answer.ok or answer.status in also else answer.message

        await until(refusal, 20, what)

    async def ready(self, timeout: float = 60.0) -> None:
        await self.wait_for(self._lacking, timeout, "the cluster")
        if self._swarm:
            await self.on_hosts(lambda host: self._gossips(host, timeout))

    async def _gossips(self, host: Host, timeout: float) -> None:
        """Return once a daemon's gossip knows all the others; it drops packets from unknown daemons."""
        async with self._diagnosed(host):
            await until(lambda: self._strangers(host), timeout, f"libnetwork on {host.name}: its gossip")

    @asynccontextmanager
    async def _diagnosed(self, host: Host) -> AsyncIterator[None]:
        """Open Docker's diagnostic port on a host: only there it tells of its gossip, and takes orders."""
        await docker_config.change(host, self.name, {"network-diagnostic-port": gossip.PORT})
        await docker_config.reload().on(host)
        try:
            yield
        finally:
            await docker_config.restore(host, self.name, docker_config.reload())

    async def _strangers(self, host: Host) -> str:
        """Return the hosts that a daemon's gossip does not know yet; it is told to meet them."""
        missing = self._reached(host) - await gossip.peers(host)
        if missing:
            await gossip.exchange(host, missing)
        return f"it does not know {', '.join(sorted(missing))}" if missing else ""

    def _reached(self, host: Host) -> set[str]:
        return {self.topology.address(other.name) for other in self.reachable(host)}

    async def refresh(self) -> None:
        """In a cluster, all daemons give each other all that they know; without, a store has it."""
        if self._swarm:
            await self.on_hosts(self._tell_all)

    async def _tell_all(self, host: Host) -> None:
        async with self._diagnosed(host):
            await gossip.exchange(host, self._reached(host))
            listed = await docker_api.call(host, "GET", "networks")
            own = [n["Id"] for n in listed.json if n["Driver"] == "overlay"] if listed.ok else []
            for network_id in own:
                await gossip.exchange_tables(host, network_id)

    async def _lacking(self, host: Host) -> str:
        """Return what a host's Docker says is missing until it has joined the others."""
        if self._swarm:
            return await self._not_ready() if host is self._meeting else await self._outside(host)
        if host is self._meeting and (absent := await self._absent()):
            return absent
        seen = await docker_api.call(host, "GET", f"networks/{NETWORK}")
        if not seen.ok or seen.json["Driver"] != "overlay":
            return f"it does not see network {NETWORK!r}: {seen.message}"
        return ""

    async def _outside(self, host: Host) -> str:
        """Return the daemon's own reason why it is not part of the cluster."""
        answer = await docker_api.call(host, "GET", "info")
        state = answer.json["Swarm"] if answer.ok else {"Error": answer.message}
        return "" if state.get("LocalNodeState") == "active" else state["Error"] or "not in the cluster"

    async def _not_ready(self) -> str:
        """Return which nodes the manager waits for: attaching an endpoint there would fail."""
        answer = await docker_api.call(self._meeting, "GET", "nodes")
        if not answer.ok:
            return answer.message
        ready = [
            node["Description"]["Hostname"] for node in answer.json if node["Status"]["State"] == "ready"
        ]
        missing = len(self.hosts) - len(ready)
        return f"{missing} nodes are not ready; those that are: {', '.join(ready)}" if missing > 0 else ""

    async def _absent(self) -> str:
        assert self._store is not None, "kv mode has a store"
        wanted = {f"{self.topology.address(host.name)}:{ADVERTISED}" for host in self.hosts}
        there = nodes(await self._store.keys("docker/nodes"))
        if not there:
            await self.check_daemon(self._meeting, self._store.daemon)
        return f"not in the store: {', '.join(sorted(wanted - there))}" if wanted - there else ""

    async def attach(
        self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint", network: str = NETWORK
    ) -> Endpoint:
        return await endpoints.attach(self.name, host, image, name, network)

    async def mode(self) -> Mapping[str, str]:
        version = (await self._meeting.facts()).docker
        return {
            "mode": "swarm" if self._swarm else "kv",
            "encryption": "on" if self._encrypted else "off",
            "mtu": str(self.mtu),
            "version": ".".join(map(str, version)),
        }

    async def report(self) -> Mapping[str, Any]:
        networks = await self.on_hosts(lambda host: docker_api.call(host, "GET", f"networks/{NETWORK}"))
        return {name: seen.json if seen.ok else seen.message for name, seen in networks.items()}

    def daemons(self, host: Host) -> Sequence[str]:
        return (self._store.daemon,) if self._store is not None and host is self._meeting else ()

    def log_names(self, host: Host) -> Sequence[str]:
        """Docker's own daemon is the overlay here, beside the store."""
        return ("dockerd", *self.daemons(host))

    def pidfiles(self, host: Host) -> Mapping[str, str]:
        """As with `log_names`."""
        return {**super().pidfiles(host), "dockerd": docker_config.PIDFILE}

    async def check(self) -> None:
        await super().check()
        await self.on_hosts(self._check_docker)

    async def _check_docker(self, host: Host) -> None:
        answer = await docker_api.call(host, "GET", "_ping", seconds=5)
        if not answer.ok:
            raise OverlayError(f"libnetwork: dockerd on {host.name} no longer answers: {answer.message}")

    async def rewire(self, topology: Topology) -> None:
        await self.reroute(topology, TUNNEL)

    async def join(self, host: Host) -> None:
        await self.install((*self.hosts, host), self.topology)

    async def leave(self, host: Host) -> None:
        if host is self._meeting:
            raise OverlayError(
                f"libnetwork cannot lose {host.name}, where the others meet; uninstall it on all hosts"
            )
        await endpoints.remove_all(self.name, host)
        await self._remove(host)
        self.hosts = tuple(h for h in self.hosts if h is not host)

    async def uninstall(self) -> None:
        await together(docker_config.start().on(host, timeout=120, check=False) for host in self.hosts)
        await self.on_hosts(lambda h: endpoints.refuse_beside_others(self.name, h, "restarting Docker"))
        await together(endpoints.remove_all(self.name, host) for host in self.hosts)
        if self.hosts:
            await self._remove_networks()
        await together(self._remove(host) for host in reversed(self.hosts))
        if self._store is not None:
            await self._store.remove()
        self.hosts, self._store, self._meets = (), None, None

    async def _remove_networks(self) -> None:
        ours = ["--filter", "driver=overlay", "--filter", "label=lab.overlay"]
        listed = await self._meeting.run(["docker", "network", "ls", "-q", *ours], check=False)
        if networks := listed.stdout.split():
            await self._meeting.run(["docker", "network", "rm", *networks], check=False)

    async def _remove(self, host: Host) -> None:
        """Leave the cluster, and restart Docker: its driver does not let go of either mode while it runs."""
        gone = Batch()
        if self._swarm:
            gone.attempt(["docker", "swarm", "leave", "--force"])
            bridge = ["docker", "network", "rm", "docker_gwbridge"]
            gone.attempt(bridge).then(docker_config.restart()).attempt(bridge)
        with docker_config.restarting(host, self.name):
            await routes.drop(gone, self.name).on(host, timeout=120)
            await docker_config.restore(host, self.name)
        gone = install_record.drop(Batch(), self.name)
        if self._store is not None and host is not self._meeting:
            self._store.forget(gone)
        await gone.on(host)


def network(name: str, subnet: str, mtu: int, *, swarm: bool, encrypted: bool) -> dict[str, Any]:
    """Return what Docker is asked for: a network that is internal, so that endpoints get no way out of it."""
    return {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": "overlay",
        "Internal": True,
        "Attachable": swarm,
        "IPAM": {"Config": [{"Subnet": subnet}]},
        "Labels": {"lab.overlay": "libnetwork"},
        "Options": {"com.docker.network.driver.mtu": str(mtu), **({"encrypted": ""} if encrypted else {})},
    }


def nodes(tree: Mapping[str, Any]) -> set[str]:
    """Return the daemons (``address:port``) in a tree of etcd's v2 interface under ``docker/nodes``."""
    found = {str(tree["value"])} if "value" in tree else set[str]()
    return found.union(*(nodes(child) for child in tree.get("nodes", ())))


def centre(hosts: Sequence[Host], topology: Topology) -> Host:
    """Return the host from which the farthest other one is nearest: every daemon asks it many times over."""
    names = [host.name for host in hosts]

    def farthest(host: Host) -> float:
        reached = (name for name in names if routes.reaches(topology, host.name, name))
        return max((topology.rtt(host.name, name) for name in reached), default=0.0)

    return min(hosts, key=farthest)
