"""Containernet's calls: hosts that are Docker containers, links that are shaped on every kernel.

A script written for Containernet runs when this line replaces its imports from Mininet::

    from lab.containernet import *

Everything that such a script names is here. What is different, and every parameter with what
becomes of it, is in ``docs/reference/containernet.md``.
"""

from lab.errors import MachineError

try:
    from mininet.log import debug, error, info, output, setLogLevel, warn
    from mininet.topo import LinearTopo, MinimalTopo, SingleSwitchTopo, Topo
    from mininet.topolib import TreeTopo
    from mininet.util import dumpNetConnections, dumpNodeConnections, irange
except ModuleNotFoundError as missing:
    raise MachineError(
        f"the package {missing.name} is missing, of which Containernet's calls and prompt are made; "
        "pip install 'overlay-lab[containernet]', or 'make setup' in a checkout"
    ) from missing

from lab.containernet.docker_node import Docker
from lab.containernet.links import Intf, Link, TCIntf, TCLink
from lab.containernet.net import CLI, Containernet
from lab.containernet.nodes import Host, Node
from lab.containernet.switches import (
    Controller,
    DefaultController,
    LinuxBridge,
    OVSBridge,
    OVSController,
    OVSKernelSwitch,
    OVSSwitch,
    RemoteController,
    Switch,
)
from lab.containernet.topo import ContainerTreeTopo, TreeContainerNet

#: For scripts of Mininet's own, which know no containers.
Mininet = Containernet

__all__ = [
    "CLI",
    "ContainerTreeTopo",
    "Containernet",
    "Controller",
    "DefaultController",
    "Docker",
    "Host",
    "Intf",
    "LinearTopo",
    "Link",
    "LinuxBridge",
    "MinimalTopo",
    "Mininet",
    "Node",
    "OVSBridge",
    "OVSController",
    "OVSKernelSwitch",
    "OVSSwitch",
    "RemoteController",
    "SingleSwitchTopo",
    "Switch",
    "TCIntf",
    "TCLink",
    "Topo",
    "TreeContainerNet",
    "TreeTopo",
    "debug",
    "dumpNetConnections",
    "dumpNodeConnections",
    "error",
    "info",
    "irange",
    "output",
    "setLogLevel",
    "warn",
]
