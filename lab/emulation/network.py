"""Containernet's calls on stock Mininet: hosts that are Docker containers, links that are shaped.

A script written for Containernet finds `Containernet`, `Docker`, `TCLink` and the
``mininet>`` prompt here; the lab's own engine puts every emulation into such a network
as well, so that Mininet's tools (CLI, ping, iperf) work on it. What differs:

* links are built by `lab.emulation.fabric` and shaped in their middle, never on a host's
  own interface, and an impairment that cannot be imposed is an error;
* Mininet's shell enters only the network namespace of a container (the programs are this
  machine's), so that images need neither bash nor iproute2;
* Mininet's own start-up raises limits of the whole machine (sysctls); that is left out.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Coroutine, Sequence
from subprocess import Popen
from typing import Any, TypeVar

from mininet.link import Intf, Link
from mininet.net import Mininet
from mininet.node import Node

from lab.emulation.emulation import Emulation
from lab.errors import LabError, MachineError, TopologyError

T = TypeVar("T")


class Docker(Node):
    """A Mininet node that is a running container."""

    shell: Popen[Any] | None

    def __init__(self, name: str, container: str, containerPid: int, **params: Any) -> None:
        self.container, self.containerPid = container, containerPid
        super().__init__(name, inNamespace=True, **params)
        self.pid = containerPid

    @classmethod
    def checkSetup(cls) -> None:
        """Nothing: Mininet's `mnexec` and `ifconfig` are not needed (see `enter`)."""

    def startShell(self, mnopts: str | None = None) -> None:
        """Start no shell yet: most nodes never need one (see `cmd`)."""

    def cmd(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command in the node's shell and return its output."""
        self._have_shell()
        return super().cmd(*args, **kwargs)

    def sendCmd(self, *args: Any, **kwargs: Any) -> None:
        """Begin a command in the node's shell."""
        self._have_shell()
        super().sendCmd(*args, **kwargs)

    def _have_shell(self) -> None:
        if self.shell is None:
            super().startShell()
            self.pid = self.containerPid

    def _popen(self, cmd: Sequence[str], **params: Any) -> Popen[Any]:
        return Popen(enter(list(cmd), self.containerPid), **params)

    def terminate(self) -> None:
        """End the node's shell; the container belongs to the network."""
        if self.shell is not None:
            super().terminate()
        self.shell = None

    def config(self, **params: Any) -> dict[str, Any]:
        """Nothing: addresses and routes are there when the link is."""
        return {}


def enter(cmd: list[str], pid: int) -> list[str]:
    """Mininet's ``mnexec`` call as one that enters the network namespace of process `pid`.

    ``setsid`` because Mininet ends a shell by killing its process group.
    """
    if cmd[0] == "mnexec":
        cmd = cmd[3:] if cmd[1].startswith("-d") and cmd[2].isdigit() else cmd[2:]
    return ["setsid", "nsenter", "-t", str(pid), "-n", "--", *cmd]


class LabIntf(Intf):
    """An interface that is there already, with its address."""

    def __init__(self, name: str, node: Any, link: Any, address: str) -> None:
        self._address = address
        super().__init__(name, node=node, link=link, moveIntfFn=lambda *_: None)
        self.ip, self.prefixLen = address.split("/")

    def config(self, **params: Any) -> dict[str, Any]:
        return {}


class TCLink(Link):
    """A link of the lab's: shaped in its middle, whichever shaper this kernel has."""

    def __init__(self, node1: Any, node2: Any, spec: Any) -> None:
        prefix = spec.subnet.rsplit("/", 1)[1]
        self.spec = spec
        self.intf1 = LabIntf(spec.interface_a, node1, self, f"{spec.address_a}/{prefix}")
        self.intf2 = LabIntf(spec.interface_b, node2, self, f"{spec.address_b}/{prefix}")

    def stop(self) -> None:
        """Nothing: the link goes with the network."""


class Containernet(Mininet):
    """A Mininet network whose hosts are Docker containers.

    Args:
        emulation: what to show as a network; without one the network makes its own and
            takes it away in `stop`.
    """

    def __init__(self, emulation: Emulation | None = None, **params: Any) -> None:
        known = {"topo": None, "build": False, "controller": None, "switch": None}
        refused = sorted(set(params) - set(known))
        if refused:
            raise LabError(f"Containernet(): {', '.join(refused)} cannot be had here; leave it out")
        self.init()
        super().__init__(build=False)
        self._loop = _Loop()
        self._own = emulation is None
        self.emulation = emulation or Emulation()
        for name in self.emulation.hosts:
            self._show_host(name)
        for spec in self.emulation.links:
            self._show_link(spec)

    @classmethod
    def init(cls) -> None:
        """Check for root; the limits of this machine are left as they are."""
        if os.geteuid() != 0:
            raise MachineError("a network needs root: run it with sudo")
        # Mininet calls its own `init`, by its own name, and that one sets sysctls
        Mininet.inited = True

    def configHosts(self) -> None:
        """Nothing: hosts are configured when they are made."""

    def addDocker(
        self, name: str, cls: type[Docker] = Docker, dimage: str | None = None, **params: Any
    ) -> Docker:
        """Start a container as a host: the lab's own kind of host, or one of the image `dimage`."""
        self._loop.call(self.emulation.add_docker(name, image=dimage, **params))
        return self._show_host(name)

    def addLink(  # type: ignore[no-untyped-def]
        self, node1, node2, cls=TCLink, delay=None, bw=None, jitter=None, loss=None, **params: Any
    ) -> TCLink:
        """Link two hosts; `delay` and `jitter` (``10ms``, each way), `bw` (Mbit/s), `loss` (percent)."""
        if params:
            raise LabError(f"addLink(): {', '.join(sorted(params))} cannot be had here; leave it out")
        names = [node if isinstance(node, str) else node.name for node in (node1, node2)]
        spec = self._loop.call(
            self.emulation.add_link(
                *names,
                rtt=2 * (milliseconds(delay) if delay is not None else 0.0),
                rate=float(bw) if bw else None,
                jitter=milliseconds(jitter) if jitter is not None else 0.0,
                loss=float(loss or 0.0),
            )
        )
        return self._show_link(spec)

    def addSwitch(self, name: str, cls: Any = None, **params: Any) -> Any:
        """Refused: links are point-to-point."""
        raise TopologyError(f"switch {name!r}: this network links hosts directly; it has no switches yet")

    def start(self) -> None:
        """Nothing is left to start: hosts and links run from the moment they are added."""
        self.built = True

    def stop(self) -> None:
        """End the shells of all nodes; a network that made its own lab takes that off the machine."""
        try:
            for host in self.hosts:
                host.terminate()
        finally:
            if self._own:
                self._loop.call(self.emulation.down())
            self._loop.stop()

    def _show_host(self, name: str) -> Docker:
        container = self.emulation.hosts[name].container
        node = Docker(name, container, self.emulation.pids[name])
        self.hosts.append(node)
        self.nameToNode[name] = node
        return node

    def _show_link(self, spec: Any) -> TCLink:
        link = TCLink(self.nameToNode[spec.a], self.nameToNode[spec.b], spec)
        self.links.append(link)
        return link


def milliseconds(text: str | float) -> float:
    """``10ms``, ``0.5s``, ``250us`` or a bare number of milliseconds, as milliseconds.

    Raises:
        TopologyError: it is none of these.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*(us|ms|s)?\s*", str(text))
    if not match:
        raise TopologyError(f"{text!r} is no time; write it like '10ms'")
    return float(match[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, None: 1.0}[match[2]]


class _Loop:
    """An event loop in a thread of its own: Mininet's calls wait, the engine's are coroutines."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None
