"""Switches, and what stands for controllers.

A switch is a Linux bridge that learns, in a network namespace of the lab's: what a switch of
Open vSwitch does under Mininet's default controller. Open vSwitch's own is made where a script
asks for it and this machine has the programs. No controller is: what needs one is refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from subprocess import Popen
from typing import Any

from mininet.log import info

from lab.containernet import openvswitch
from lab.containernet.bridge import NO_OPENFLOW, PLAIN, Bridge, check
from lab.containernet.nodes import Node, NodeLocation
from lab.containernet.openvswitch import OpenVSwitch
from lab.errors import LabError

NO_CONTROLLER = "switches here learn by themselves or get flows by dpctl; no controller reaches them"


class LinuxBridge(Node):
    """A switch: `stp` turns the spanning tree protocol on, which a network with a ring needs."""

    portBase = 1

    def __init__(
        self, name: str, stp: bool = False, prio: int | None = None, *, place: NodeLocation, **params: Any
    ) -> None:
        params = {key: value for key, value in params.items() if value is not None}
        self.stp, self.dpid = stp, params.get("dpid") or name
        make_datapath = self._planned_datapath(name, stp, prio, params)
        super().__init__(name, place=place)
        self.datapath = make_datapath()
        self.datapath.start()

    def _planned_datapath(
        self, name: str, stp: bool, prio: int | None, params: dict[str, Any]
    ) -> Callable[[], Bridge | OpenVSwitch]:
        """Check what is asked for before anything is made; return what makes it."""
        check(name, params, PLAIN, NO_OPENFLOW)
        return lambda: Bridge(self, stp, prio)

    def _popen(self, cmd: Sequence[str], **params: Any) -> Popen[Any]:
        env = {**self.datapath.environment, **(params.pop("env", None) or {})}
        return super()._popen(cmd, env=env, **params)

    def attach(self, intf: Any) -> None:
        """Make an interface a port of the switch."""
        self.datapath.attach(str(intf), self.ports.get(intf))
        link = getattr(intf, "link", None)
        if link is not None:
            far = link.intf2 if intf is link.intf1 else link.intf1
            self.datapath.prepare_peer(far.node, far.name)

    def detach(self, intf: Any) -> None:
        """Make an interface no port any more."""
        self.datapath.detach(str(intf))

    def delIntf(self, intf: Any) -> None:
        """Forget an interface that is gone."""
        super().delIntf(intf)
        self.datapath.forget(str(intf))

    def start(self, controllers: Iterable[Any] = ()) -> None:
        """Pass packets: it does from the beginning; again, after `stop`."""
        self.datapath.start(controlled=bool(list(controllers)))

    def connected(self) -> bool:
        """Tell if every port passes packets; with `stp` that takes some seconds."""
        return self.datapath.connected()

    def stop(self, deleteIntfs: bool = True) -> None:
        """Pass nothing any more; unless told otherwise, the switch goes, with its links."""
        if not deleteIntfs:
            self.datapath.stop()
            return
        super().stop(deleteIntfs=True)
        self.datapath.delete()

    def dpctl(self, *args: Any) -> str:
        """Run ovs-ofctl and return its output: ``dpctl("dump-flows")``. Words are a shell's, as in Mininet.

        Raises:
            LabError: this is a Linux bridge. CommandError: it was no such command.
        """
        return self.datapath.ask("ovs-ofctl", *shlex.split(" ".join(map(str, args))))

    def vsctl(self, *args: Any) -> str:
        """Run ovs-vsctl on the lab's own database; as `dpctl`."""
        return self.datapath.ask("ovs-vsctl", *shlex.split(" ".join(map(str, args))))

    def config(self, *_args: Any, **_params: Any) -> dict[str, Any]:
        """Do nothing: a switch has no address."""
        return {}


Switch = LinuxBridge


class OVSSwitch(LinuxBridge):
    """A switch of Open vSwitch; a Linux bridge where this machine has no Open vSwitch.

    Raises:
        LabError: there is none, and a bridge cannot do what is asked.
    """

    def _planned_datapath(
        self, name: str, stp: bool, prio: int | None, params: dict[str, Any]
    ) -> Callable[[], Bridge | OpenVSwitch]:
        if lacking := openvswitch.lacking():
            bridge = super()._planned_datapath(name, stp, prio, params)
            info(f"{name}: a Linux bridge, for Open vSwitch (this machine has no {lacking[0]})\n")
            return bridge
        options = openvswitch.Options.of(name, stp, prio, params)

        def make() -> OpenVSwitch:
            made = OpenVSwitch(self, options)
            where = "in user space" if made.datapath_type == "netdev" else "in the kernel"
            info(f"{name}: Open vSwitch, packets pass {where}\n")
            return made

        return make


OVSKernelSwitch = OVSSwitch  # as in Mininet


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
        place: NodeLocation,
        **params: Any,
    ) -> None:
        if params:
            given = ", ".join(sorted(params))
            raise LabError(f"controller {name!r}: {given} is not supported: {NO_CONTROLLER}")
        self.ip, self.port, self.protocol = ip, port, protocol
        super().__init__(name, place=place)
        info(f"{name}: nothing to control, switches are bridges that learn\n")

    def IP(self, intf: Any = None) -> str:
        """The address that it was given."""
        return self.ip

    def start(self) -> None:
        """Do nothing: there is nothing to start."""

    def connected(self) -> bool:
        """Return True: there is nothing to connect to."""
        return True


class DefaultController(Controller):
    """The same."""


class OVSController(Controller):
    """The same."""


class RemoteController(Controller):
    """Refused: a program elsewhere would decide what switches do, and bridges decide themselves."""

    def __init__(self, name: str, *args: Any, **params: Any) -> None:
        raise LabError(f"controller {name!r}: a RemoteController is not supported: {NO_CONTROLLER}")


#: Mininet's own classes, by name, and the lab's class for each.
EQUIVALENTS = {
    kind.__name__: kind for kind in (LinuxBridge, OVSSwitch, OVSBridge, Controller, DefaultController)
} | {
    "OVSKernelSwitch": OVSSwitch,
    "OVSController": OVSController,
    "RemoteController": RemoteController,
    "Switch": LinuxBridge,
}
