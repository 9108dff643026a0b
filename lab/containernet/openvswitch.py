"""Switches of Open vSwitch, by a database and a daemon of the lab's own.

Both have their files in the lab's folder and run in the network of the lab's switches, so a service
of the machine's and its bridges stay untouched. They carry the lab's id, by which they are ended.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.containernet.bridge import WITHOUT_EFFECT, check
from lab.containernet.nodes import Node
from lab.emulation.links import netns
from lab.emulation.ownership import LabState
from lab.errors import CommandError, HostError, LabError, MachineError

#: All of Debian's package openvswitch-switch.
PROGRAMS = ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl")
KNOWN = {**WITHOUT_EFFECT, "dpid": None, "protocols": None, "datapath": ("kernel", "user")}
KNOWN["failMode"] = ("standalone", "secure")
#: How long the daemon may take to do what the database says (s).
PATIENCE = 10
#: As soon as the standard lets a spanning tree be up (s): twice the first.
STP = ("other_config:stp-forward-delay=4", "other_config:stp-hello-time=1", "other_config:stp-max-age=6")
#: Both daemons return when they are ready.
DAEMON = ("--detach", "--pidfile", "--log-file", "-vsyslog:off", "-vconsole:err")
#: Where Open vSwitch's programs look for their files.
FOLDERS = ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR")


def lacking() -> list[str]:
    """The programs of Open vSwitch that this machine has not."""
    return [program for program in PROGRAMS if not shutil.which(program)]


@dataclass(frozen=True)
class Options:
    """The options of a switch, as a script gives them."""

    datapath_id: str | None
    fail_mode: str = "standalone"
    protocols: tuple[str, ...] = ()
    user_space: bool = False
    stp: bool = False
    prio: int | None = None

    @classmethod
    def of(cls, name: str, stp: bool, prio: int | None, params: Mapping[str, Any]) -> Options:
        """From the parameters of `addSwitch`.

        Raises:
            LabError: one that is not supported.
        """
        check(name, params, KNOWN, "Open vSwitch has no such parameter; see docs/reference/containernet.md")
        mode, protocols = params.get("failMode", "standalone"), params.get("protocols", ())
        if stp and mode == "secure":
            raise LabError(f"switch {name!r}: stp=True is not supported with failMode='secure'")
        words = protocols.split(",") if isinstance(protocols, str) else protocols
        number = datapath_id(name, params.get("dpid"))
        return cls(number, mode, tuple(words), params.get("datapath") == "user", stp, prio)

    def argv(self, name: str, datapath_type: str) -> list[str]:
        """Build the arguments for ovs-vsctl that make such a bridge, or one that is there such a one."""
        pairs = [
            f"datapath_type={datapath_type}",
            f"fail_mode={self.fail_mode}",
            f"stp_enable={self.stp}".lower(),
        ]
        pairs += [f"protocols={','.join(self.protocols)}"] if self.protocols else []
        pairs += [f"other_config:datapath-id={self.datapath_id}"] if self.datapath_id else []
        pairs += STP if self.stp else ()
        pairs += [f"other_config:stp-priority={self.prio}"] if self.stp and self.prio else []
        return ["--", "--may-exist", "add-br", name, "--", "set", "Bridge", name, *pairs]


def datapath_id(name: str, dpid: Any = None) -> str | None:
    """Sixteen hexadecimal digits: of `dpid`, or of the first number in the name, as in Mininet.

    Raises:
        LabError: `dpid` is no such number.
    """
    if dpid is None:
        number = re.search(r"\d+", name)
        return f"{int(number[0]):016x}" if number else None
    digits = f"{dpid:x}" if isinstance(dpid, int) else str(dpid).replace(":", "")
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]{1,16}", digits):
        raise LabError(f"switch {name!r}: dpid={dpid!r} is no number of up to 16 hexadecimal digits")
    return f"{int(digits, 16):016x}"


def port_argv(bridge: str, interface: str, number: int | None) -> list[str]:
    """Build the arguments for ovs-vsctl that make an interface a port, of this number in flows."""
    more = ["--", "set", "Interface", interface, f"ofport_request={number}"] if number else []
    return ["--", "--may-exist", "add-port", bridge, interface, *more]


class OpenVSwitch:
    """One switch of Open vSwitch, with the kernel's datapath, or where there is none, in user space."""

    def __init__(self, node: Node, options: Options) -> None:
        self.node, self.name, self.options = node, node.name, options
        self.folder = node.backend.state.folder / "openvswitch"
        self.environment: Mapping[str, str] = dict.fromkeys(FOLDERS, str(self.folder))
        self.ports: dict[str, int | None] = {}
        genl = ["genl", "ctrl", "get", "name", "ovs_datapath"]
        # asking loads the kernel's module, where there is one
        in_kernel = not options.user_space and "ovs_datapath" in node.backend.run(genl, check=False).stdout
        self.datapath_type = "system" if in_kernel else "netdev"
        if self.datapath_type == "netdev" and not shutil.which("ethtool"):
            raise MachineError(
                f"switch {self.name!r}: Open vSwitch's datapath in user space needs ethtool; install it"
            )
        self._serve()

    def _serve(self) -> None:
        """Start database and daemon, unless another switch has."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if not (self.folder / "conf.db").exists():
            self._run("ovsdb-tool", "create")
        if not (self.folder / "ovsdb-server.pid").exists():
            self._run("ovsdb-server", *DAEMON, f"--remote=punix:{self.folder}/db.sock")
        if not (self.folder / "ovs-vswitchd.pid").exists():
            self._run("ovs-vswitchd", *DAEMON)

    def _run(self, *argv: str) -> None:
        backend = self.node.backend
        marked = {**self.environment, **LabState(backend.lab_id).environment}
        backend.run(netns.inside(self.node.namespace, argv), on=self.name, env=marked)

    def start(self, controlled: bool = False) -> None:
        """A secure switch with a controller learns: that is what Mininet's default controller makes it do."""
        ports = [word for port, number in self.ports.items() for word in port_argv(self.name, port, number)]
        self.ask("ovs-vsctl", *self.options.argv(self.name, self.datapath_type), *ports)
        if controlled and self.options.fail_mode == "secure":
            self.ask("ovs-ofctl", "add-flow", "priority=0,actions=NORMAL")

    def stop(self) -> None:
        """The bridge goes, and its flows with it; `start` brings it back with its ports."""
        self.ask("ovs-vsctl", "--if-exists", "del-br", self.name)

    delete = stop

    def attach(self, interface: str, number: int | None) -> None:
        self.node.must("ip", "link", "set", interface, "up")
        self.ask("ovs-vsctl", *port_argv(self.name, interface, number))
        self.ports[interface] = number

    def detach(self, interface: str) -> None:
        self.ports.pop(interface, None)
        self.ask("ovs-vsctl", "--if-exists", "del-port", self.name, interface)

    forget = detach

    def prepare_peer(self, node: Node, interface: str) -> None:
        """Packets that reach user space need their checksum: nothing writes it there, and TCP would fail."""
        if self.datapath_type == "netdev":
            node.must("ethtool", "-K", interface, "tx", "off")

    def connected(self) -> bool:
        """Tell if every port passes packets: with STP, after eight seconds."""
        if not self.options.stp or not self.ports:
            return True
        words = [w for p in self.ports for w in ("--", "--if-exists", "get", "Port", p, "status:stp_state")]
        states = self.ask("ovs-vsctl", *words).split()
        return len(states) == len(self.ports) and set(states) <= {"forwarding", "blocking"}

    def ask(self, program: str, *args: str) -> str:
        """Run ovs-vsctl on the lab's database, or a command of ovs-ofctl on this switch.

        Raises:
            CommandError: it failed.
            HostError: the daemon could not do what the database says now.
        """
        argv = [program, f"--timeout={PATIENCE}", *self._place(program, args)]
        done = self.node.tool(*argv)
        if done.returncode:
            raise CommandError(self.name, argv, done.returncode, done.stdout, done.stderr)
        if fault := re.search(r"Error detected while (.*)\.  See", done.stderr):
            raise HostError(
                f"switch {self.name}: Open vSwitch failed while {fault[1]}; its log: {self.folder}"
            )
        return done.stdout

    def _place(self, program: str, args: tuple[str, ...]) -> list[str]:
        """The arguments of a program, with the paths of its files."""
        if program == "ovs-vsctl":
            return [f"--db=unix:{self.folder}/db.sock", *args]
        version = [f"--protocols={','.join(self.options.protocols)}"] if self.options.protocols else []
        return [*version, *args[:1], f"unix:{self.folder}/{self.name}.mgmt", *args[1:]]
