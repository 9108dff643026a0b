"""Containernet's ready-made trees of switches with containers as leaves."""

from __future__ import annotations

from typing import Any

from mininet.topo import Topo

from lab.containernet.docker_node import Docker
from lab.containernet.net import Containernet


class ContainerTreeTopo(Topo):
    """A tree: `depth` levels of switches, each with `fanout` children, and containers at the ends."""

    def build(self, depth: int = 1, fanout: int = 2, dimage: str = "ubuntu:trusty") -> None:
        self._switches = self._leaves = 0
        self._tree(depth, fanout, dimage)

    def _tree(self, depth: int, fanout: int, dimage: str) -> Any:
        if depth == 0:
            self._leaves += 1
            return self.addHost(f"h{self._leaves}", cls=Docker, dimage=dimage)
        self._switches += 1
        switch = self.addSwitch(f"s{self._switches}")
        for _ in range(fanout):
            self.addLink(switch, self._tree(depth - 1, fanout, dimage))
        return switch


def TreeContainerNet(depth: int = 1, fanout: int = 2, dimage: str = "ubuntu:trusty", **kwargs: Any) -> Any:
    """A network of such a tree."""
    return Containernet(topo=ContainerTreeTopo(depth, fanout, dimage), **kwargs)
