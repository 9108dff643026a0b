"""Weave Net: routers in a mesh that forward for each other, in user space or in Open vSwitch's datapath.

Each router is told its neighbours on the links and no one else, and discovery is off, so a
packet to a far host passes every router on the way: a hop is a router of the overlay.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from time import monotonic
from typing import Any

from lab.errors import OverlayError
from lab.hosts.daemons import status_argv
from lab.hosts.host import Endpoint, Host, HostFacts, Private
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.base import ENDPOINT_IMAGE, NO_ESP, Missing, Option
from overlays.common import binaries, endpoints, install_record, iptables, routes
from overlays.common.batch import Batch
from overlays.common.polling import until
from overlays.common.relaying import RelayingOverlay
from overlays.weave import mode, ovs_datapath, router, status

NETWORK, INTERFACE = "lab-weave", "ethwe0"
#: How long a router may lack a route while all its connections are up (s).
GOSSIP_PATIENCE = 2.0
RULES = re.compile(r"\bWEAVE\b|\bWEAVE-|Weave Net|-[io] weave\b")
PLUGINS = "/run/docker/plugins"
SOCKETS = (f"{PLUGINS}/weave.sock", f"{PLUGINS}/weavemesh.sock")
#: Everything that an installation leaves on a host's disk.
FILES = (router.FOLDER, router.DATA, router.ON_HOST, binaries.stamp(router.ON_HOST), *SOCKETS)


class Weave(RelayingOverlay):
    """Weave Net 2.8.1 or 2.9.0, as Docker's plugin ``weavemesh`` with its network ``weave``."""

    name = "weave"
    summary = "Weave Net: routers relay for each other, hop by hop (sleeve or fast datapath)"
    hops = "overlay"
    modes = ("sleeve", "fastdp")
    options = (
        Option(
            "mode", "auto", ("auto", "fastdp", "sleeve"), "what carries packets; auto: the best that works"
        ),
        Option("encryption", "off", ("on", "off"), "NaCl in sleeve, IPsec in fastdp"),
        Option(
            "mtu",
            "1376",
            (),
            "bytes, the same for all modes, for comparison; 0 is the maximum that fits",
            number=True,
        ),
        Option("subnet", "10.32.0.0/12", (), "addresses of endpoints"),
    )

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self._password = os.environ.get("LAB_WEAVE_PASSWORD") or secrets.token_hex(16)
        self._instead_of_dummy: dict[str, str] = {}
        self._user_space = self.settings["mode"] != "fastdp"
        #: The routers that shared the addresses out at the start; one that joins later is told the same.
        self._seed: tuple[str, ...] = ()
        #: When a router that gossip had passed by was last started anew.
        self._healed = 0.0

    @classmethod
    def obtainable(cls) -> Missing | None:
        return None if router.program() else Missing("no Weave router's program is here", router.REMEDY)

    @classmethod
    def fetch(cls) -> None:
        router.program()

    @property
    def user_space(self) -> bool:
        """True in sleeve, and in mode=auto until it is known that every host has a fast datapath."""
        return self._user_space

    @property
    def module(self) -> str:
        """Open vSwitch, of the fast datapath."""
        return "" if self.settings["mode"] == "sleeve" else "openvswitch"

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        missing = []
        if not {"dummy", "ifb"} & facts.link_kinds:
            missing.append(
                Missing("both of the link kinds 'dummy' and 'ifb' in its kernel", "load the dummy module")
            )
        if self.settings["mode"] == "fastdp":
            missing += self._lacks_for_fastdp(facts)
        return missing

    def _lacks_for_fastdp(self, facts: HostFacts) -> Iterator[Missing]:
        if "openvswitch" not in facts.features:
            yield Missing("Open vSwitch in its kernel", "load the openvswitch module, or use mode=sleeve")
        if self.settings["encryption"] == "on" and "esp" not in facts.features:
            yield NO_ESP

    @property
    def _fastdp(self) -> bool:
        return self.settings["mode"] != "sleeve"

    async def _has_fastdp(self, host: Host) -> bool:
        """Return whether a host's router makes a fast datapath: it is asked to, and the kernel has one."""
        return self._fastdp and "openvswitch" in (await host.facts()).features

    @property
    def mtu(self) -> int:
        """The MTU of endpoints (bytes): the requested one, or the maximum that fits through every link."""
        if asked := int(self.settings["mtu"]):
            return asked
        least = min(link.mtu for link in self.topology.links)
        return least - (84 if self._fastdp else 62) - (24 if self.settings["encryption"] == "on" else 0)

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.topology = topology
        await self.require(hosts)
        program = await binaries.obtain("weave: no router's program", router.program, router.REMEDY)
        before = await self.installed(hosts)
        await self._adopt_password([host for host in hosts if host not in before.new])
        macs = [router.mac(self.number(host)) for host in hosts]
        self._seed = tuple((await self.claim(hosts, before, seed=macs))["seed"])
        facts = (await self.on_hosts(lambda host: host.facts())).values()
        if self.settings["mode"] == "auto":
            self._user_space = any(list(self._lacks_for_fastdp(one)) for one in facts)
        copies = {"dummy": binaries.Copy(program)}
        if any("dummy" not in one.link_kinds for one in facts):
            copies["ifb"] = binaries.Copy(router.without_dummy(program))
        await self.on_hosts(lambda host: self._install(host, copies))

    async def _adopt_password(self, hosts: Sequence[Host]) -> None:
        """Continue with the password of running routers, which is only in their own environment."""
        if self.settings["encryption"] == "off":
            return
        answers = await together(
            host.run(Private(["sh"]), stdin=router.ASK_PASSWORD, check=False) for host in hosts
        )
        running = next((word for answer in answers if (word := answer.stdout.strip())), self._password)
        if os.environ.get("LAB_WEAVE_PASSWORD", running) != running:
            raise OverlayError(
                "weave runs with another password than LAB_WEAVE_PASSWORD has; unset it, "
                "or uninstall weave first"
            )
        self._password = running

    async def _install(self, host: Host, copies: Mapping[str, binaries.Copy]) -> None:
        kind = "dummy" if "dummy" in (await host.facts()).link_kinds else "ifb"
        self._instead_of_dummy[host.name] = kind
        await binaries.put_once(host, copies[kind], router.ON_HOST)
        await self._launch(host)

    async def _launch(self, host: Host) -> None:
        """Start the router and make Docker's network; a router that runs is left as it is.

        The network is internal: endpoints get no second interface with a way out of the overlay.
        """
        docker = bool((await host.facts()).docker)
        told = self.router(host)
        told = replace(told, fastdp=await self._has_fastdp(host), docker=told.docker if docker else "")
        launch = Batch().run(["mkdir", "-p", router.DATA, *([PLUGINS] if docker else [])])
        old_peers = Batch().run(["rm", "-f", f"{router.FOLDER}/restart.sentinel"])
        launch.unless(status_argv("weaver"), old_peers)
        launch.start("weaver", told.argv(), router.FOLDER)
        launch.wait(["curl", "-sf", "--max-time", "3", f"http://{router.HTTP}/status"], 20)
        if docker:
            launch.attempt(router.network_argv(NETWORK))
        env = {"CHECKPOINT_DISABLE": "1"}
        if self.settings["encryption"] == "on":
            env["WEAVE_PASSWORD"] = self._password
        await launch.on(host, env=env)

    def router(self, host: Host) -> router.Router:
        """Return what a host's router is told, as the plugin of the host's Docker."""
        return router.Router(
            name=router.mac(self.number(host)),
            nickname=host.name,
            peers=self._peers(host),
            seed=self._seed,
            fastdp=self._fastdp,
            mtu=self.mtu,
            subnet=self.settings["subnet"],
        )

    def _peers(self, host: Host) -> tuple[str, ...]:
        """Return the addresses of the neighbours that have a router too, each on the link to it."""
        present = {h.name for h in self.hosts}
        links = self.topology.links_of(host.name)
        return tuple(link.address(n) for link in links if (n := link.other(host.name)) in present)

    async def ready(self, timeout: float = 60.0) -> None:
        healing = asyncio.Lock()
        self._healed = monotonic()
        await self.on_hosts(lambda host: self._ready(host, timeout, healing))

    async def _ready(self, host: Host, timeout: float, healing: asyncio.Lock) -> None:
        """Ask until a router is ready; restart one that gossip did not reach.

        Routers tell of a new connection once, and not to every neighbour, and repeat it after 30 s.
        To a router that starts, its neighbours tell all they know at once: so one of them must know
        more, and only one router at a time is started anew, lest they stay ignorant together.
        """
        since = inf

        async def lacking() -> str:
            nonlocal since
            words = await self._lacking(host)
            since = min(since, monotonic()) if words.startswith(status.NO_ROUTE) else inf
            if monotonic() - max(since, self._healed) > GOSSIP_PATIENCE and not healing.locked():
                async with healing:
                    await self._heal(host)
            return words

        await until(lacking, timeout, f"weave on {host.name}: a complete mesh")

    async def _heal(self, host: Host) -> None:
        """Restart a router if a neighbour knows a route that it does not have."""
        own, *others = await together(self._report(one) for one in (host, *self.neighbours(host)))
        known = {name for report in others for name in status.parse(report or {}).routes}
        if own and known - set(status.parse(own).routes):
            await self._stop(host)
            await self._launch(host)
            self._healed = monotonic()

    async def _stop(self, host: Host) -> None:
        await Batch().stop("weaver").run(["rm", "-f", *SOCKETS]).on(host)

    async def _lacking(self, host: Host) -> str:
        if (report := await self._report(host)) is None:
            await self.check_daemon(host, "weaver")
            return "the router does not answer yet"
        names = [router.mac(self.number(other)) for other in self.reachable(host)]
        return status.parse(report).lacking(self._peers(host), names, self.settings["mode"])

    async def _report(self, host: Host) -> dict[str, Any] | None:
        argv = ["curl", "-sf", "--max-time", "3", "-H", "Accept: application/json"]
        result = await host.run([*argv, f"http://{router.HTTP}/report"], check=False)
        return dict(json.loads(result.stdout)) if result.stdout.startswith("{") else None

    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        fastdp = await self._has_fastdp(host)
        port = router.port(endpoints.called(self.name, host.name, name), INTERFACE, self.mtu, fastdp=fastdp)
        return await endpoints.attach(self.name, host, image, name, NETWORK, interface=INTERFACE, port=port)

    async def mode(self) -> Mapping[str, str]:
        """Return what the routers' connections run in, as `overlays.weave.mode` reads it."""
        peers = {host.name: self._peers(host) for host in self.hosts}
        link_kind = {"link kind": "dummy→ifb"} if "ifb" in self._instead_of_dummy.values() else {}
        return {**mode.read(await self._reports(), peers, self.mtu), **link_kind}

    async def _reports(self) -> dict[str, status.Report]:
        return {name: status.parse(report) for name, report in (await self.report()).items()}

    async def report(self) -> Mapping[str, Any]:
        reports = await self.on_hosts(self._report)
        for host in self.hosts:
            if reports[host.name] is None:
                await self.check_daemon(host, "weaver")
                raise OverlayError(f"weave: the router on {host.name} runs and gives no report")
        return reports

    async def multihop_proof(self) -> Mapping[str, Mapping[str, str]]:
        """Return, per host, the hosts that it reaches through another one: Via ≠ Dest in its router's own
        report.
        """
        nick = {router.mac(self.number(h)): h.name for h in self.hosts}
        return {
            host: {nick[dest]: nick[via] for dest, via in report.multihop().items()}
            for host, report in (await self._reports()).items()
        }

    async def counters(self) -> Mapping[str, int]:
        """Count every host's lookups in the fast datapath: ``HOST hit``, ``HOST missed``, ``HOST lost``."""
        if not self._fastdp:
            return {}
        fastdp = await self.on_hosts(self._has_fastdp)
        able = [host for host in self.hosts if fastdp[host.name]]
        pairs = zip(able, await together(ovs_datapath.counters(host) for host in able), strict=True)
        return {f"{host.name} {key}": count for host, one in pairs for key, count in one.items()}

    def daemons(self, host: Host) -> Sequence[str]:
        return ("weaver",)

    async def relaunch(self) -> None:
        await self.on_hosts(self._stop)
        await self.on_hosts(self._launch)
        await self.ready()

    async def rewire(self, topology: Topology) -> None:
        routes.refuse_gap(self.name, topology, self.hosts)
        before = {host: set(self._peers(host)) for host in self.hosts}
        self.topology = topology
        await self.on_hosts(lambda host: self._meet(host, before[host], set(self._peers(host))))

    async def _meet(self, host: Host, before: set[str], after: set[str]) -> None:
        """Tell a router its lost and its new neighbours."""
        for what, peers in (("forget", before - after), ("connect", after - before)):
            for peer in sorted(peers):
                await self._tell(host, what, peer)

    async def join(self, host: Host) -> None:
        await super().join(host)
        await together(self._tell(h, "connect", self._address_to(h, host)) for h in self.neighbours(host))

    async def leave(self, host: Host) -> None:
        neighbours = self.neighbours(host)
        await super().leave(host)
        await together(self._tell(h, "forget", self._address_to(h, host)) for h in neighbours)

    def _address_to(self, a: Host, b: Host) -> str:
        return self.topology.link(a.name, b.name).address(b.name)

    async def _tell(self, host: Host, what: str, peer: str) -> None:
        await host.run(["curl", "-sf", "-d", f"peer={peer}", f"http://{router.HTTP}/{what}"])

    async def uninstall(self) -> None:
        await super().uninstall()
        self._seed = ()

    async def remove(self, host: Host) -> None:
        """Endpoints first, while the plugin still answers; then the router and all that it made.

        Docker removes no network whose plugin is gone, so a router that died is started once more.
        """
        if not await host.alive("weaver"):
            await self._launch(host)
        await endpoints.remove_all(self.name, host)
        gone = Batch()
        for network in (NETWORK, "weave") if (await host.facts()).docker else ():
            gone.attempt(["docker", "network", "rm", network])
        gone.stop("weaver")
        for link in ("vethwe-bridge", "weave"):
            gone.attempt(["ip", "link", "del", link])
        gone.run(["rm", "-rf", *FILES])
        await gone.attempt(["rmdir", PLUGINS]).on(host)
        if await self._has_fastdp(host):
            await ovs_datapath.delete(host)
        await iptables.remove(host, RULES)
        await install_record.drop(Batch(), self.name).on(host)
