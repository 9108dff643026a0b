"""The network: Containernet's and Mininet's calls, on the lab's engine."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from typing import Any

from mininet.cli import CLI as MininetCLI
from mininet.link import Intf as MininetIntf
from mininet.link import TCIntf as MininetTCIntf
from mininet.log import error, info
from mininet.net import Mininet
from mininet.util import ipAdd, macColonHex

from lab.containernet import exit_cleanup
from lab.containernet.backend import Backend
from lab.containernet.cables import short
from lab.containernet.docker_node import Docker
from lab.containernet.ext_sap import ServicePoints
from lab.containernet.links import Link, Shown, TCLink
from lab.containernet.nodes import MininetHost, Node, NodeLocation
from lab.containernet.ping_iperf import PingIperf
from lab.containernet.port_forward import bindings
from lab.containernet.switches import EQUIVALENTS, Controller, LinuxBridge
from lab.emulation.docker import run_options
from lab.emulation.emulation import Emulation
from lab.emulation.links import netns
from lab.errors import LabError, MachineError, TopologyError, UnknownName
from lab.events import Note, StepDone

#: What `Containernet()` takes of Mininet's parameters only with a value that asks for nothing.
UNSUPPORTED: dict[str, tuple[tuple[Any, ...], str]] = {
    "xterms": ((False,), "open terminals at the prompt, or with 'docker exec -it'"),
    "cleanup": ((False,), "use 'lab cleanup', which touches only what labs have left"),
    "inNamespace": ((False, True), ""),
    "autoPinCpus": ((False,), "pin containers with cpuset_cpus"),
    "listenPort": ((None, 6634, 6654), ""),
    "intf": ((None, MininetIntf, MininetTCIntf), "interfaces are the lab's own"),
}
HOST_PARAMETERS = ("ip", "mac", "defaultRoute", "inNamespace", "lo", "privateDirs", "cls", "cores")


class CLI(MininetCLI):
    """Mininet's prompt; names of nodes may have dots, as Containernet allows."""

    identchars = string.ascii_letters + string.digits + "_."

    def onecmd(self, line: str) -> Any:
        """Run one line; print an error of the lab, and keep the prompt."""
        try:
            return super().onecmd(line)
        except LabError as refusal:
            error(f"*** {refusal}\n")
            return False


class Containernet(ServicePoints, PingIperf, Mininet):
    """A network of containers, hosts, switches and links.

    Args:
        emulation: a lab to show as such a network; without one the network makes its own, and
            takes it away in `stop`, or when the script ends.
        params: `topo`, `switch`, `host`, `controller`, `link`, `build`, `ipBase`, `autoSetMacs`,
            `autoStaticArp`, `waitConnected` as Mininet has them.

    Raises:
        LabError: a parameter that is not supported; it is named.
        MachineError: not run by root.
    """

    def __init__(self, emulation: Emulation | None = None, **params: Any) -> None:
        for key in UNSUPPORTED.keys() & params.keys():
            values, remedy = UNSUPPORTED[key]
            if (value := params.pop(key)) not in values:
                advice = remedy or "leave it out"
                raise LabError(f"Containernet(): {key}={value!r} is not supported; {advice}")
        known = {"topo", "switch", "host", "controller", "link", "build", "ipBase"}
        known |= {"autoSetMacs", "autoStaticArp", "waitConnected"}
        if refused := sorted(set(params) - known):
            raise LabError(f"Containernet(): {', '.join(refused)} is not supported here; leave it out")
        self.init()
        build = params.pop("build", True)
        defaults = {"switch": LinuxBridge, "host": MininetHost, "controller": Controller, "link": Link}
        super().__init__(build=False, **{**defaults, **params})
        self.SAPswitches: dict[str, Any] = {}
        self._switchboard = ""
        self.backend = Backend(emulation, _log)
        if self.backend.owns_lab:
            exit_cleanup.register(self.backend.emulation)
        self._show(self.backend.emulation)
        if self.topo and build:
            self.build()

    @classmethod
    def init(cls) -> None:
        """Check for root; the limits of this machine are left as they are."""
        if os.geteuid() != 0:
            raise MachineError("a network needs root: run it with sudo")
        # Mininet calls its own `init`, by its own name, and that one sets sysctls
        Mininet.inited = True

    @property
    def emulation(self) -> Emulation:
        """The lab underneath."""
        return self.backend.emulation

    def _show(self, emulation: Emulation) -> None:
        for name in emulation.hosts:
            self._enter(self.hosts, Docker(name, place=self._place_of(name)))
        for spec in emulation.links:
            self.links.append(Shown(self[spec.a], self[spec.b], spec))

    def _place_of(self, name: str) -> NodeLocation:
        return NodeLocation(self.backend, netns.path(self.emulation.pids[name]))

    def _enter(self, nodes: list[Any], node: Any) -> Any:
        nodes.append(node)
        self.nameToNode[node.name] = node
        return node

    def addDocker(self, name: str, cls: type[Docker] = Docker, **params: Any) -> Any:
        """Start a container as a host: of the image `dimage`, or the lab's own kind of host.

        Raises:
            TopologyError: a parameter that is not supported; it is named, and nothing was made.
            HostError: the container did not start.
        """
        return self.addHost(name, cls=cls, **params)

    def _start_docker(self, name: str, cls: type[Docker], params: dict[str, Any]) -> Docker:
        known = {*run_options.KNOWN, *run_options.ELSEWHERE, *run_options.REFUSED}
        asked = {k: v for k, v in params.items() if cls is Docker or k in known}
        if str(asked.get("ipc_mode", "")).startswith("container:"):
            asked["ipc_mode"] = self._ipc_of(name, asked["ipc_mode"])
        run_options.translate(name, asked)
        ports = [asked.get(key) or () for key in ("ports", "port_bindings")]
        bindings(name, ports[0], dict(ports[1]), (), everything=True)
        image = self.backend.ensure_image(name, asked.pop("dimage", None), asked.pop("build_params", None))
        exposed = self.backend.image_config(image).get("ExposedPorts") or () if image else ()
        idle = self.backend.start_container(name, image, asked)
        extra = {k: v for k, v in params.items() if k not in ("dimage", "idle")}
        node = cls(name, dimage=image, place=self._place_of(name), idle=idle, **extra)
        everything = bool(asked.get("publish_all_ports"))
        node.publish(bindings(name, ports[0], dict(ports[1]), exposed, everything))
        return node

    def _ipc_of(self, name: str, mode: str) -> str:
        other = mode.removeprefix("container:").removeprefix("mn.")
        if not isinstance(self.nameToNode.get(other), Docker):
            raise UnknownName("container", other, [h.name for h in self.hosts if isinstance(h, Docker)])
        return f"container:{self.nameToNode[other].container}"

    def removeDocker(self, name: Any, **params: Any) -> bool:
        """Remove a container, with its links, while the others go on."""
        return bool(self.removeHost(name))

    def _new(self, name: str) -> None:
        if name in self.nameToNode:
            raise TopologyError(f"node {name!r} is there already; give another name")

    # nodes

    def addHost(self, name: str, cls: Any = None, **params: Any) -> Any:
        """Add a host: a container where `cls` is a `Docker`, else a network namespace on this machine."""
        self._new(name)
        cls = _lab_class(cls or self.host, {"Host": MininetHost, "Node": MininetHost}, Node)
        defaults = {"ip": f"{ipAdd(self.nextIP, self.prefixLen, self.ipBaseNum)}/{self.prefixLen}"}
        if self.autoSetMacs:
            defaults["mac"] = macColonHex(self.nextIP)
        self.nextIP += 1
        params = {**defaults, **params}
        if issubclass(cls, Docker):
            return self._enter(self.hosts, self._start_docker(name, cls, params))
        unknown = sorted(set(params) - set(HOST_PARAMETERS))
        if cls is MininetHost and (unknown or params.get("cores") or params.get("inNamespace") is False):
            what = ", ".join(unknown) or "cores, or inNamespace=False,"
            raise TopologyError(f"host {name!r}: {what} is not supported for a plain host; use addDocker")
        place = NodeLocation(self.backend, self.backend.add_namespace(f"host-{name}"))
        return self._enter(self.hosts, cls(name, place=place, **params))

    def removeHost(self, name: Any, **params: Any) -> bool:
        """Remove a host, with its links, while the others go on."""
        self.delNode(self._node(name))
        return True

    def delNode(self, node: Any, nodes: Any = None) -> None:
        """Remove any node, with its links."""
        for link in [link for link in self.links if node in (link.intf1.node, link.intf2.node)]:
            self.delLink(link)
        node.stop(deleteIntfs=True)
        for known in (self.hosts, self.switches, self.controllers):
            if node in known:
                known.remove(node)
        del self.nameToNode[node.name]

    def addSwitch(self, name: str, cls: Any = None, **params: Any) -> Any:
        """Add a switch: a Linux bridge, or Open vSwitch with `cls=OVSSwitch` where this machine has it.

        `stp=True` where switches make a ring.

        Raises:
            LabError: a parameter that is not supported.
        """
        self._new(name)
        cls = _lab_class(cls or self.switch, EQUIVALENTS, LinuxBridge)
        return self._enter(self.switches, cls(short(name), place=self._switches_place(), **params))

    def _switches_place(self) -> NodeLocation:
        if not self._switchboard:
            self._switchboard = self.backend.add_namespace("switches")
        return NodeLocation(self.backend, self._switchboard)

    def addController(self, name: Any = "c0", controller: Any = None, **params: Any) -> Any:
        """Add what stands for a controller: bridges learn by themselves, it has nothing to do.

        Raises:
            LabError: a `RemoteController`, or a program of one's own.
        """
        cls = controller or self.controller
        if name is None or cls is None:
            return None
        if not isinstance(cls, type):
            raise LabError(f"controller {name!r}: {cls!r} is not supported: give Controller, or none")
        self._new(name)
        cls = _lab_class(cls, EQUIVALENTS, Controller)
        return self._enter(self.controllers, cls(name, place=self._switches_place(), **params))

    def addNAT(self, *args: Any, **params: Any) -> Any:
        """Refused: a lab is not connected to other networks."""
        raise LabError("addNAT() is not supported: a lab has no way out of this machine")

    # links

    def addLink(  # type: ignore[no-untyped-def]
        self, node1, node2, port1=None, port2=None, cls=None, **params: Any
    ) -> Any:
        """Link two nodes, by object or name; see `Link` for the parameters.

        The first link of a host gives it its address. With `TCLink`, or any of `bw`, `delay`,
        `jitter`, `loss`, a shaper of the lab's imposes them in both directions.

        Raises:
            TopologyError: a parameter that is not supported; it is named.
            ShaperError: an impairment that cannot be imposed; there is no link then.
        """
        cls = _lab_class(cls or self.link, {"Link": Link, "TCLink": TCLink, "OVSLink": Link}, Link)
        ends = [self._node(node) for node in (node1, node2)]
        for unused in ("intf", "cls1", "cls2", "fast"):
            given = params.pop(unused, None)
            if given not in (None, True, False, MininetIntf, MininetTCIntf):
                raise TopologyError(f"link {ends[0]}-{ends[1]}: {unused}={given!r} is not supported")
        link = cls(*ends, port1=port1, port2=port2, **params)
        for intf in (link.intf1, link.intf2):
            if intf.node in self.hosts and intf is intf.node.defaultIntf() and not intf.ip:
                known = intf.node.params
                Node.config(intf.node, mac=known.get("mac"), ip=known.get("ip"))
        self.links.append(link)
        return link

    def removeLink(self, link: Any = None, node1: Any = None, node2: Any = None) -> None:
        """Remove a link while the network runs: itself, or the one between two nodes.

        Raises:
            UnknownName: there is none.
        """
        if link is None:
            ends = [self._node(node) for node in (node1, node2)]
            found = self.linksBetween(*ends)
            if not found:
                raise UnknownName("link", "-".join(end.name for end in ends), map(str, self.links))
            link = found[0]
        self.delLink(link)

    def _node(self, node: Any) -> Any:
        """Raises UnknownName where there is no such node."""
        if isinstance(node, str) and node not in self.nameToNode:
            raise UnknownName("node", node, self.nameToNode)
        return self.nameToNode[node] if isinstance(node, str) else node

    # start and stop

    def configHosts(self) -> None:
        """Call `config` of every host, for what a class of a script adds there."""
        if not self.backend.owns_lab:
            return
        super().configHosts()

    def start(self) -> None:
        """Configure hosts and start switches; containers and links run from the moment they are added."""
        if not self.built:
            self.build()
        for switch in self.switches:
            switch.start(self.controllers)
        if self.waitConn:
            self.waitConnected(None if self.waitConn is True else self.waitConn)

    def stop(self) -> None:
        """Remove everything; a lab that is only shown stays. A second call does nothing."""
        try:
            for node in (*self.hosts, *self.switches, *self.controllers):
                if type(node).terminate is Docker.terminate:
                    node.end()  # its container goes with the others, all at once
                elif self.backend.owns_lab or not isinstance(node, Docker):
                    node.terminate()
        finally:
            self.backend.down()
            exit_cleanup.unregister(self.backend.emulation)


def _lab_class(cls: Any, equivalents: Mapping[str, Any], base: type) -> Any:
    """Return the lab's class for one of Mininet's own; a class made from the lab's stays."""
    if isinstance(cls, type) and issubclass(cls, base):
        return cls
    of_mininet = getattr(cls, "__module__", "").startswith("mininet.")
    if of_mininet and cls.__name__ in equivalents:
        return equivalents[cls.__name__]
    raise LabError(
        f"{getattr(cls, '__name__', cls)!r} is not supported here; use {base.__name__} of "
        f"lab.containernet, or a class made from it"
    )


def _log(event: Any) -> None:
    """Log the engine's events where Mininet logs its own."""
    if isinstance(event, Note):
        info(f"*** {event.text}\n")
    elif isinstance(event, StepDone) and event.step.startswith("image"):
        info(f"*** {event.step}: {event.seconds:.1f} s\n")
