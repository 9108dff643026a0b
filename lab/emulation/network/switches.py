"""Switches, and what stands for controllers.

A switch is a Linux bridge that learns, in a network namespace of the lab's: what a switch of
Open vSwitch does under Mininet's default controller. Whatever needs OpenFlow is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mininet.log import info

from lab.emulation.network.nodes import Node, Place
from lab.errors import LabError

NO_OPENFLOW = "switches here are Linux bridges, which no controller programs"
#: What a switch takes, with the values that say nothing else than what it is.
PLAIN: dict[str, tuple[Any, ...] | None] = {
    "dpid": None,
    "failMode": ("standalone",),
    "datapath": ("kernel",),
    "inband": (False, None),
    "inNamespace": (False, True, None),
    "listenPort": (None,),
    "batch": (True, False),
    "isSwitch": (True,),
    "reconnectms": None,
}


class LinuxBridge(Node):
    """A switch: `stp` turns the spanning tree protocol on, which a network with a ring needs."""

    portBase = 1
    stands_for = ""

    def __init__(
        self, name: str, stp: bool = False, prio: int | None = None, *, place: Place, **params: Any
    ) -> None:
        for key, value in params.items():
            if key not in PLAIN or value not in (PLAIN[key] or (value,)):
                raise LabError(f"switch {name!r}: {key}={value!r} cannot be had: {NO_OPENFLOW}")
        self.stp, self.dpid = stp, params.get("dpid") or name
        super().__init__(name, place=place)
        if self.stands_for:
            info(f"{name}: a Linux bridge, for {self.stands_for}\n")
        options = f"stp_state {int(stp)} mcast_snooping 0" + (f" priority {prio}" if prio else "")
        self.must("ip", "link", "add", name, "type", "bridge", "forward_delay", "0", *options.split())
        self.must("ip", "link", "set", name, "up")

    def attach(self, intf: Any) -> None:
        """Make an interface a port of the switch."""
        self.must("ip", "link", "set", str(intf), "master", self.name)
        self.must("ip", "link", "set", str(intf), "up")

    def detach(self, intf: Any) -> None:
        """Make an interface no port any more."""
        self.must("ip", "link", "set", str(intf), "nomaster")

    def start(self, controllers: Iterable[Any] = ()) -> None:
        """Pass packets: it does from the beginning; again, after `stop`."""
        self.must("ip", "link", "set", self.name, "up")

    def connected(self) -> bool:
        """Whether every port passes packets; with `stp` that takes four seconds."""
        ports = json.loads(self.must("ip", "-j", "-d", "link", "show", "master", self.name) or "[]")
        states = [p.get("linkinfo", {}).get("info_slave_data", {}).get("state") for p in ports]
        return all(state in ("forwarding", "blocking") for state in states)

    def stop(self, deleteIntfs: bool = True) -> None:
        """Pass nothing any more; unless told otherwise, the switch goes, with its links."""
        if not deleteIntfs:
            self.must("ip", "link", "set", self.name, "down")
            return
        super().stop(deleteIntfs=True)
        self.tool("ip", "link", "delete", self.name)

    def dpctl(self, *args: Any) -> str:
        """Refused: there is no flow table."""
        raise LabError(f"switch {self.name}: dpctl cannot be had: {NO_OPENFLOW}")

    def config(self, *_args: Any, **_params: Any) -> dict[str, Any]:
        """Nothing: a switch has no address."""
        return {}


Switch = LinuxBridge


class OVSSwitch(LinuxBridge):
    """A Linux bridge, where a script asks for Open vSwitch."""

    stands_for = "Open vSwitch"


class OVSKernelSwitch(OVSSwitch):
    """The same."""


class OVSBridge(OVSSwitch):
    """The same."""


class Controller(Node):
    """Stands for a controller: bridges learn by themselves, so there is nothing for it to do.

    Raises:
        LabError: it is told to be a certain program.
    """

    def __init__(
        self,
        name: str,
        ip: str = "127.0.0.1",
        port: int | None = None,
        protocol: str = "tcp",
        *,
        place: Place,
        **params: Any,
    ) -> None:
        if params:
            raise LabError(f"controller {name!r}: {', '.join(sorted(params))} cannot be had: {NO_OPENFLOW}")
        self.ip, self.port, self.protocol = ip, port, protocol
        super().__init__(name, place=place)
        info(f"{name}: nothing to control, switches are bridges that learn\n")

    def IP(self, intf: Any = None) -> str:
        """The address that it was given."""
        return self.ip

    def start(self) -> None:
        """Nothing to start."""

    def connected(self) -> bool:
        """There is nothing to connect to."""
        return True


class DefaultController(Controller):
    """The same."""


class OVSController(Controller):
    """The same."""


class RemoteController(Controller):
    """Refused: a program elsewhere would decide what switches do, and bridges decide themselves."""

    def __init__(self, name: str, *args: Any, **params: Any) -> None:
        raise LabError(f"controller {name!r}: a RemoteController cannot be had: {NO_OPENFLOW}")


#: Mininet's own classes, by name, and what stands for them here.
STANDS_FOR = {
    kind.__name__: kind
    for kind in (LinuxBridge, OVSSwitch, OVSKernelSwitch, OVSBridge, Controller, DefaultController)
} | {"OVSController": OVSController, "RemoteController": RemoteController, "Switch": LinuxBridge}
