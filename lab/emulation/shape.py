"""What is imposed on a link, as data: one `Shape` per direction, one `Line` per link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lab.emulation import namespaces
from lab.errors import ShaperError, UnknownName

if TYPE_CHECKING:
    from lab.topology import LinkSpec

#: `ab` is what host A sends to host B. It enters the lab's namespace at port ``<number>a``
#: and leaves it at port ``<number>b``.
DIRECTIONS = ("ab", "ba")
#: What can be set, and changed while a link runs.
PARAMETERS = ("delay", "rate", "loss", "jitter", "queue")
HEADER = 14  # bytes of an Ethernet header, which a queueing discipline counts
LEAST_PACKETS = 64


@dataclass(frozen=True)
class Shape:
    """What one direction of a link does to packets.

    Attributes:
        delay: one way, ms.
        rate: Mbit/s, counted with Ethernet headers; None is as fast as the machine goes.
        loss: percent of the packets, each by its own chance.
        jitter: standard deviation of the delay, ms.
        queue: bytes that wait for the rate; None is the default (see `queue_bytes`).
        mtu: bytes.
    """

    delay: float = 0.0
    rate: float | None = None
    loss: float = 0.0
    jitter: float = 0.0
    queue: int | None = None
    mtu: int = 1500

    def __post_init__(self) -> None:
        if self.delay < 0 or self.jitter < 0:
            raise ShaperError(
                f"a link cannot have a delay of {self.delay} ms and a jitter of {self.jitter} ms"
            )
        if self.rate is not None and self.rate <= 0:
            raise ShaperError(f"a link cannot have a rate of {self.rate} Mbit/s; None is an unlimited one")
        if not 0 <= self.loss <= 100:
            raise ShaperError(f"a link cannot lose {self.loss} % of its packets")

    @property
    def packet(self) -> int:
        """A full packet with its Ethernet header, bytes."""
        return self.mtu + HEADER

    @property
    def queue_bytes(self) -> int:
        """Twice the bandwidth-delay product (rate × twice the one-way delay), and at least 64 full packets.

        Shorter ones starve a single TCP flow on a long fat link.
        """
        least = LEAST_PACKETS * self.packet
        if self.queue is not None:
            return self.queue
        product = (self.rate or 0.0) * 1e6 / 8 * 2 * self.delay / 1e3
        return max(least, round(2 * product))

    @property
    def asked(self) -> frozenset[str]:
        """The parameters that this shape needs a shaper to have."""
        return frozenset(name for name in PARAMETERS if getattr(self, name))


@dataclass(frozen=True)
class Line:
    """A link as a shaper sees it: its number, its shapes, and where its two ends are."""

    name: str
    number: int
    ab: Shape = field(default_factory=Shape)
    ba: Shape = field(default_factory=Shape)
    end_a: str = ""
    end_b: str = ""
    interface_a: str = ""
    interface_b: str = ""

    @property
    def bridge(self) -> str:
        return f"br{self.number}"

    def shape(self, direction: str) -> Shape:
        return self.ab if direction == "ab" else self.ba

    def port_in(self, direction: str) -> str:
        """The port of the lab's namespace at which packets of this direction come in."""
        return f"{self.number}{direction[0]}"

    def port_out(self, direction: str) -> str:
        """The port of the lab's namespace at which packets of this direction leave."""
        return f"{self.number}{direction[1]}"

    def changed(self, directions: tuple[str, ...], **params: Any) -> Line:
        """This line with some parameters of some directions set anew; `rtt` (ms) is half a delay each way.

        Raises:
            UnknownName: there is no such parameter.
            ShaperError: its value is absurd.
        """
        if "rtt" in params:
            params = {**params, "delay": params["rtt"] / 2}
            del params["rtt"]
        for name in set(params) - set(PARAMETERS):
            raise UnknownName("parameter of a running link", name, (*PARAMETERS, "rtt"))
        ab, ba = (replace(self.shape(d), **params) if d in directions else self.shape(d) for d in DIRECTIONS)
        return replace(self, ab=ab, ba=ba)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Line:
        return cls(**{**data, "ab": Shape(**data["ab"]), "ba": Shape(**data["ba"])})


@dataclass(frozen=True)
class Wiring:
    """A link of a topology together with where its two hosts are.

    `end_a` and `end_b` are each a process id, or the name or path of a network namespace.
    """

    link: LinkSpec
    end_a: int | str
    end_b: int | str

    @property
    def line(self) -> Line:
        """Half of the round trip is imposed in each direction; loss and jitter hold for each."""
        link = self.link
        shape = Shape(
            delay=link.rtt / 2, rate=link.rate, loss=link.loss or 0.0, jitter=link.jitter or 0.0, mtu=link.mtu
        )
        return Line(
            link.name,
            link.number,
            shape,
            shape,
            namespaces.path(self.end_a),
            namespaces.path(self.end_b),
            link.interface_a,
            link.interface_b,
        )
