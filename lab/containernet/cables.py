"""Cables between nodes, as data: with a shaper in the middle, or plain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lab.emulation.links.link import LinkState, Shape, Wiring
from lab.errors import TopologyError
from lab.topology.specs import LinkSpec


@dataclass(frozen=True)
class CableEnd:
    """One end of a cable: a network namespace and the interface's name in it."""

    node: str
    namespace: str
    interface: str


@dataclass(frozen=True)
class Cable(Wiring):
    """A link whose directions may differ; its ends get their addresses later."""

    ab: Shape = field(default_factory=Shape)
    ba: Shape = field(default_factory=Shape)

    @property
    def state(self) -> LinkState:
        return replace(super().state, ab=self.ab, ba=self.ba)


def cable(name: str, number: int, a: CableEnd, b: CableEnd, ab: Shape, ba: Shape) -> Cable:
    """A cable between two ends."""
    spec = LinkSpec(
        name=name,
        number=number,
        a=a.node,
        b=b.node,
        rtt=0.0,
        mtu=ab.mtu,
        subnet="0.0.0.0/0",
        address_a="",
        address_b="",
        interface_a=a.interface,
        interface_b=b.interface,
    )
    return Cable(spec, a.namespace, b.namespace, ab, ba)


def short(name: str) -> str:
    """An interface's name, which the kernel limits to 15 bytes.

    Raises:
        TopologyError: it is longer.
    """
    if len(name) > 15:
        raise TopologyError(
            f"interface {name!r} has more than the 15 letters that a kernel allows; "
            f"give the node a shorter name, or intfName1 and intfName2 to addLink"
        )
    return name
