"""Interfaces and links of a Containernet network.

A link made as `TCLink`, or with any parameter of shaping, has a shaper of the lab's in its
middle; any other is a plain veth, as fast as the machine goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mininet.link import Intf as MininetIntf
from mininet.link import Link as MininetLink

from lab.containernet import tc_params
from lab.containernet.cables import CableEnd, short
from lab.errors import LabError, TopologyError

if TYPE_CHECKING:
    from lab.containernet.nodes import Node

#: Parameters of one interface (`params1`, `params2`, or a link's for both), beside those of shaping.
OF_INTERFACES = ("ip", "mac", "up", "port", "mtu")
MTU = 1500


class Intf(MininetIntf):
    """An interface of a node; set with this machine's `ip`, in the node's network."""

    name: str
    mac: str | None
    ip: str | None
    prefixLen: str | None

    def __init__(self, name: str, node: Any, link: Any, port: int | None = None, **params: Any) -> None:
        super().__init__(name, node=node, port=port, link=link, moveIntfFn=lambda *_: None, **params)

    def config(self, mac: str | None = None, ip: str | None = None, up: bool = True, **params: Any) -> Any:
        """Set address, state, and what the link imposes on packets that leave here.

        Raises:
            TopologyError: a parameter that is not supported.
        """
        if unknown := sorted(k for k in params if not tc_params.is_known(k)):
            raise TopologyError(f"interface {self.name}: {', '.join(unknown)} is not supported")
        if mac:
            self.setMAC(mac)
        if ip:
            self.setIP(ip)
        if not up:
            self.ifconfig("down")
        if asked := tc_params.changes(params):
            self.link.reshape(self, asked)
        return {}

    def setIP(self, ipstr: str, prefixLen: Any = None, overwrite: bool = True) -> str:
        """Set this address, instead of the existing ones unless `overwrite` is False."""
        address, _, length = ipstr.partition("/")
        length = length or str(prefixLen or "")
        if not length:
            raise TopologyError(
                f"interface {self.name}: no prefix length for {ipstr}; write it like {ipstr}/8"
            )
        self.ip, self.prefixLen = address, length
        if overwrite:
            self.node.must("ip", "address", "flush", "dev", self.name)
        self.node.must("ip", "address", "replace", f"{address}/{length}", "dev", self.name)
        self.node.must("ip", "link", "set", self.name, "up")
        return ""

    def setMAC(self, macstr: str) -> str:
        """Give it this hardware address."""
        self.node.must("ip", "link", "set", "dev", self.name, "address", macstr)
        self.mac = macstr
        return ""

    def ifconfig(self, *args: str) -> str:
        """Do what `ifconfig` is used for: ``up``, ``down``, ``mtu N``, an address; without words, show it.

        Raises:
            TopologyError: words that it does not know.
        """
        words = " ".join(map(str, args)).split()
        if not words:
            return str(self.node.must("ip", "address", "show", "dev", self.name))
        while words:
            word = words.pop(0)
            if word in ("up", "down"):
                self.node.must("ip", "link", "set", self.name, word)
            elif word == "mtu" and words:
                self.node.must("ip", "link", "set", self.name, "mtu", words.pop(0))
            elif word.partition("/")[0].count(".") == 3:
                self.setIP(word, None if "/" in word else 8)
            else:
                raise TopologyError(
                    f"interface {self.name}: ifconfig {word!r} is not known; use node.tool('ip', …)"
                )
        return ""

    def updateIP(self) -> str | None:
        """Its address, asked of the kernel."""
        return self.updateAddr()[0]

    def updateMAC(self) -> str | None:
        """Its hardware address, asked of the kernel."""
        return self.updateAddr()[1]

    def updateAddr(self) -> tuple[str | None, str | None]:
        """Both addresses, asked of the kernel."""
        shown = self._shown()
        inet = [a for a in shown.get("addr_info", ()) if a["family"] == "inet"]
        self.ip, self.prefixLen = (inet[0]["local"], str(inet[0]["prefixlen"])) if inet else (None, None)
        self.mac = shown.get("address")
        return self.ip, self.mac

    def MAC(self) -> str | None:
        """Its hardware address."""
        return self.mac or self.updateMAC()

    def _shown(self) -> Any:
        return json.loads(self.node.must("ip", "-j", "address", "show", "dev", self.name))[0]

    def isUp(self, setUp: bool = False) -> bool:
        """Tell if it is up; with `setUp`, after having set it so."""
        if setUp:
            self.ifconfig("up")
        return "UP" in self._shown()["flags"]

    def rename(self, newname: str) -> str:
        """Give it another name."""
        self.node.must("ip", "link", "set", self.name, "down")
        self.node.must("ip", "link", "set", self.name, "name", short(newname))
        self.node.must("ip", "link", "set", newname, "up")
        self.node.nameToIntf[newname] = self.node.nameToIntf.pop(self.name)
        self.name = newname
        return ""

    def status(self) -> str:
        """``OK``, or ``MISSING``."""
        return "OK" if self.node.tool("ip", "link", "show", "dev", self.name).returncode == 0 else "MISSING"

    def delete(self) -> None:
        """Remove its link, with both ends."""
        if self.link is not None:
            self.link.delete()


class TCIntf(Intf):
    """The same, by the name that Mininet gives to an interface with a shaper."""


class Link(MininetLink):
    """A link between two nodes.

    Args:
        node1, node2: its ends. port1, port2: numbers of the interfaces. intfName1, intfName2: their
            names. addr1, addr2: their hardware addresses. params1, params2: parameters of one end:
            what is shaped there holds for packets that leave that end. params: parameters of both.

    Raises:
        TopologyError: a parameter that is not supported; nothing was made.
        ShaperError: an impairment that no shaper here can impose; nothing is left of the link.
    """

    shaped = False
    intf1: Any
    intf2: Any

    def __init__(
        self,
        node1: Node,
        node2: Node,
        port1: int | None = None,
        port2: int | None = None,
        intfName1: str | None = None,
        intfName2: str | None = None,
        addr1: str | None = None,
        addr2: str | None = None,
        params1: Mapping[str, Any] | None = None,
        params2: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> None:
        both = [{**(own or {}), **params} for own in (params1, params2)]
        self._check(f"{node1}-{node2}", *both)
        self.backend, nodes = node1.backend, (node1, node2)
        asked = (both[0].get("port", port1), both[1].get("port", port2))
        ports = [node.newPort() if port is None else port for node, port in zip(nodes, asked, strict=True)]
        if node1 is node2 and ports[0] == ports[1]:
            ports[1] += 1
        macs = [p.get("mac", addr) for p, addr in zip(both, (addr1, addr2), strict=True)]
        names = [
            short(name or self.intfName(node, port))
            for node, port, name in zip(nodes, ports, (intfName1, intfName2), strict=True)
        ]
        for node, name in zip(nodes, names, strict=True):
            if name in node.nameToIntf:
                raise TopologyError(f"{node} has an interface {name} already; give another port or intfName")
        a, b = (CableEnd(node.name, node.namespace, name) for node, name in zip(nodes, names, strict=True))
        self.name = self._lay(a, b, both, int(params.get("mtu", MTU)))
        self.intf1, self.intf2 = (
            Intf(name, node, self, port=port) for name, node, port in zip(names, nodes, ports, strict=True)
        )
        for intf, own, mac in zip((self.intf1, self.intf2), both, macs, strict=True):
            self._open(intf, own, mac)

    @staticmethod
    def _check(name: str, *both: Mapping[str, Any]) -> None:
        unknown = {k for own in both for k in own if not tc_params.is_known(k) and k not in OF_INTERFACES}
        if unknown:
            names = ", ".join(sorted(unknown))
            known = ", ".join([*tc_params.KNOWN, *OF_INTERFACES])
            raise TopologyError(f"link {name}: {names} is not supported; a link can have {known}")

    def _lay(self, a: CableEnd, b: CableEnd, both: list[dict[str, Any]], mtu: int) -> str:
        shapes = [
            tc_params.shape({k: v for k, v in own.items() if tc_params.is_known(k)}, mtu) for own in both
        ]
        self.shaped = type(self).shaped or any(shape.needed for shape in shapes)
        if self.shaped:
            return self.backend.add_shaped_link(a, b, *shapes)
        self.backend.add_veth(a, b, mtu)
        return f"{a.node}-{b.node}"

    def _open(self, intf: Intf, own: Mapping[str, Any], mac: str | None) -> None:
        if mac:
            intf.setMAC(mac)
        if own.get("ip"):
            intf.setIP(own["ip"], 8)
        intf.node.attach(intf)
        if own.get("up", True):
            intf.ifconfig("up")

    def reshape(self, intf: Intf, asked: Mapping[str, Any]) -> None:
        """Shape again the direction that leaves one end.

        Raises:
            LabError: it is a plain link, without a shaper in its middle.
        """
        if not self.shaped:
            raise LabError(f"link {self}: it has no shaper; make it with cls=TCLink")
        self.backend.change_link(self.name, "ab" if intf is self.intf1 else "ba", asked)

    def config(self, **params: Any) -> None:
        """Shape both directions again while the link runs: `bw`, `delay`, `loss`, …"""
        for intf in (self.intf1, self.intf2):
            intf.config(**params)

    def delete(self) -> None:
        """Remove it, with both interfaces; a second call does nothing."""
        first, second = self.intf1, self.intf2
        if first is None:
            return
        self.intf1 = self.intf2 = None
        if self.shaped:
            self.backend.delete_link(self.name)
        else:
            first.node.tool("ip", "link", "delete", first.name)
        for intf in (first, second):
            intf.node.delIntf(intf)
            intf.link = None

    def stop(self) -> None:
        """As `delete`."""
        self.delete()


class TCLink(Link):
    """A link with a shaper in its middle, whichever this kernel has."""

    shaped = True


class Shown(MininetLink):
    """A link that the lab made itself, shown as one of Mininet's."""

    def __init__(self, node1: Any, node2: Any, spec: Any) -> None:
        self.name, self.backend, self.shaped = spec.name, node1.backend, True
        prefix = spec.subnet.rsplit("/", 1)[1]
        self.intf1, self.intf2 = Intf(spec.interface_a, node1, self), Intf(spec.interface_b, node2, self)
        self.intf1.ip, self.intf2.ip = spec.address_a, spec.address_b
        self.intf1.prefixLen = self.intf2.prefixLen = prefix

    reshape = Link.reshape
    config = Link.config

    def stop(self) -> None:
        """Do nothing: the link goes with the lab."""

    delete = stop
