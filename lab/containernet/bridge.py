"""The datapath of a switch, which passes its packets: here a bridge of this kernel's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.containernet.nodes import Node
from lab.errors import LabError

#: Parameters of a switch that ask for nothing, with the values that they may have (None: any).
WITHOUT_EFFECT: dict[str, tuple[Any, ...] | None] = {
    "inband": (False,),
    "inNamespace": (False, True),
    "listenPort": (),
    "batch": (True, False),
    "isSwitch": (True,),
    "reconnectms": None,
}
PLAIN = {**WITHOUT_EFFECT, "dpid": None, "failMode": ("standalone",), "datapath": ("kernel",)}
NO_OPENFLOW = (
    "it is a Linux bridge, which no flows program; install openvswitch-switch and ask for cls=OVSSwitch"
)


def check(name: str, params: Mapping[str, Any], known: Mapping[str, Any], why: str) -> None:
    """Refuse what a switch cannot have.

    Raises:
        LabError: a parameter is not in `known`, or its value is not.
    """
    for key, value in params.items():
        if key not in known or value not in (known[key] if known[key] is not None else (value,)):
            raise LabError(f"switch {name!r}: {key}={value!r} is not supported: {why}")


class Bridge:
    """A bridge of this kernel's, which learns; `openvswitch.OpenVSwitch` has the same methods.

    Attributes:
        environment: variables by which its own programs find it, for commands in the switch's shell.
    """

    environment: Mapping[str, str] = {}

    def __init__(self, node: Node, stp: bool, prio: int | None) -> None:
        self.node, self.name = node, node.name
        options = f"stp_state {int(stp)} mcast_snooping 0" + (f" priority {prio}" if prio else "")
        node.must("ip", "link", "add", self.name, "type", "bridge", "forward_delay", "0", *options.split())

    def start(self, controlled: bool = False) -> None:
        """Pass packets; again, after `stop`. `controlled`: the script has a controller."""
        self.node.must("ip", "link", "set", self.name, "up")

    def stop(self) -> None:
        """Pass nothing, until `start`."""
        self.node.must("ip", "link", "set", self.name, "down")

    def delete(self) -> None:
        self.node.tool("ip", "link", "delete", self.name)

    def attach(self, interface: str, number: int | None) -> None:
        """Make an interface a port; `number` is the switch's own for it."""
        self.node.must("ip", "link", "set", interface, "master", self.name)
        self.node.must("ip", "link", "set", interface, "up")

    def detach(self, interface: str) -> None:
        self.node.must("ip", "link", "set", interface, "nomaster")

    def forget(self, interface: str) -> None:
        """Do nothing about an interface that is gone: the kernel forgot it."""

    def prepare_peer(self, node: Node, interface: str) -> None:
        """Do nothing about an interface that sends to a port: packets stay in the kernel."""

    def connected(self) -> bool:
        """Tell if every port passes packets: with STP, after four seconds."""
        argv = ("ip", "-j", "-d", "link", "show", "master", self.name)
        ports = json.loads(self.node.must(*argv) or "[]")
        states = [p.get("linkinfo", {}).get("info_slave_data", {}).get("state") for p in ports]
        return all(state in ("forwarding", "blocking") for state in states)

    def ask(self, program: str, *args: str) -> str:
        """Refused: there is no flow table."""
        call = {"ovs-ofctl": "dpctl", "ovs-vsctl": "vsctl"}[program]
        raise LabError(f"switch {self.name}: {call} is not supported: {NO_OPENFLOW}")
