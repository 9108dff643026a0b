"""External service access points: a switch of the network to which this machine itself is connected."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Interface, ip_network
from typing import Any

from mininet.log import info
from mininet.net import Mininet

from lab.errors import LabError, TopologyError, UnknownName


class ServicePoints(Mininet):
    """Containernet's `addExtSAP`. The one thing of a lab that is in this machine's own network."""

    def addExtSAP(self, sapName: str, sapIP: str, dpid: str | None = None, **params: Any) -> Any:
        """Add a switch at which this machine has the address `sapIP` (``10.10.10.1/24``).

        Programs of this machine reach the hosts on it, and they reach this machine at that
        address; nothing is passed on to other networks.

        Raises:
            LabError: `NAT=True`, or a parameter of switches that is not supported.
            TopologyError: the address, or its network, is this machine's already.
        """
        if params.pop("NAT", False):
            raise LabError(f"addExtSAP({sapName!r}): NAT is not supported: a lab stays on this machine")
        at = IPv4Interface(sapIP)
        self._free(sapName, at)
        switch = self.addSwitch(sapName, dpid=dpid, **params)
        end = self.backend.record_link()
        switch.must("ip", "link", "add", "here", "type", "veth", "peer", "name", end)
        port = f"{sapName[:8]}-sap"
        switch.must("ip", "link", "set", "here", "name", port)
        switch.attach(port)
        switch.datapath.prepare_peer(switch, end)
        switch.must("ip", "link", "set", end, "netns", str(os.getpid()))
        for argv in (["address", "add", str(at), "dev", end], ["link", "set", end, "up"]):
            self.backend.run(["ip", *argv])
        switch.ip, switch.deployed_name = sapIP, end
        self.SAPswitches[sapName] = switch
        return switch

    def removeExtSAP(self, sapName: str) -> None:
        """Remove the switch, with this machine's address on it."""
        if sapName not in self.SAPswitches:
            raise UnknownName("service access point", sapName, self.SAPswitches)
        switch = self.SAPswitches.pop(sapName)
        info(f"stopping external SAP:{sapName}\n")
        self.backend.run(["ip", "link", "delete", switch.deployed_name])
        self.delSwitch(switch)

    def _free(self, name: str, at: IPv4Interface) -> None:
        """Refuse a network in which this machine has something: its packets would go astray."""
        shown = self.backend.run(["ip", "-j", "-4", "route", "show", "table", "all"])
        for route in json.loads(shown.stdout or "[]"):
            if route["dst"] != "default" and ip_network(route["dst"], strict=False).overlaps(at.network):
                raise TopologyError(
                    f"addExtSAP({name!r}): {at.network} holds {route['dst']}, which this machine has on "
                    f"{route.get('dev', 'a route')}; take another network"
                )
