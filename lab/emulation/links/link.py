"""What is imposed on a link, as data: one `Shape` per direction, one `LinkState` per link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lab.emulation.links import netns
from lab.errors import ShaperError, UnknownName
from lab.topology import impairments

if TYPE_CHECKING:
    from lab.topology import LinkSpec

#: `ab` is what host A sends to host B. It enters the lab's namespace at port ``<number>a``
#: and leaves it at port ``<number>b``.
DIRECTIONS = ("ab", "ba")
#: What can be set, and changed while a link runs.
PARAMETERS = (
    *("delay", "rate", "loss", "burst", "jitter", "distribution"),
    *("duplicate", "corrupt", "reorder", "queue"),
)
#: Parameters that every shaper has as soon as it has another one.
COME_ALONG = {"distribution": "jitter"}
HEADER = 14  # bytes of an Ethernet header, which a queueing discipline counts
LEAST_PACKETS = 64
#: Packets that a direction holds for their delay: 100 ms at 1 million packets/s, and twice what its rate
#: brings in meanwhile.
LEAST_HELD = 100_000
#: Seconds that a full packet may take at a rate: after one second TCP sends it again (RFC 6298).
LONGEST_PACKET = 1.0
#: What a packet takes in memory, as a multiple of its size: the kernel's own records, and room left over.
OVERHEAD = 1.5


@dataclass(frozen=True)
class Shape:
    """What one direction of a link does to packets.

    Attributes:
        delay: one way, ms.
        rate: Mbit/s, counted with Ethernet headers; None is as fast as the machine goes.
        loss: percent of the packets, each by its own chance, or in bursts.
        jitter: standard deviation of the delay, ms. Packets keep their order.
        queue: bytes that wait for the rate; None is the default (see `queue_bytes`).
        mtu: bytes.
        distribution: of the jitter: ``normal``, ``uniform`` or ``pareto``.
        burst: packets lost in a row, on average (Gilbert-Elliott); None is each by its own chance.
        duplicate: percent of the packets that arrive twice.
        corrupt: percent of the packets in which one bit is wrong.
        reorder: percent of the packets that overtake all others by not being delayed.

    Raises:
        ShaperError: it cannot be; names everything that is wrong.
    """

    delay: float = 0.0
    rate: float | None = None
    loss: float = 0.0
    jitter: float = 0.0
    queue: int | None = None
    mtu: int = 1500
    distribution: str = "normal"
    burst: float | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0

    def __post_init__(self) -> None:
        values = {name: getattr(self, name) for name in PARAMETERS}
        # a running link may be set to lose everything
        found = list(impairments.faults({**values, "loss": min(self.loss, 99.9)}))
        if self.loss > 100:
            found.append(f"loss {self.loss:g} percent is not between 0 and 100")
        found = found or list(impairments.late_faults(values))
        if self.rate and not found:
            found += self._slow(self.rate)
        if found:
            raise ShaperError(f"a link cannot be so: {'; '.join(found)}")

    def _slow(self, rate: float) -> Iterator[str]:
        seconds = self.packet * 8 / (rate * 1e6)
        if seconds > LONGEST_PACKET:
            least = self.packet * 8 / LONGEST_PACKET / 1e6
            yield (
                f"at {rate:g} Mbit/s a packet of {self.packet} bytes takes {seconds:.1f} s; "
                f"it needs {least:.3g} Mbit/s, or a smaller MTU"
            )

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
    def held(self) -> int:
        """Packets that this direction must be able to hold for their delay."""
        longest = self.delay + impairments.WIDEST * self.jitter
        return max(LEAST_HELD, round(2 * (self.rate or 0.0) * 1e6 / 8 * longest / 1e3 / self.packet))

    @property
    def memory(self) -> int:
        """Bytes of memory that full packets take while they are delayed and wait for the rate.

        For a direction without a rate that is unknown, and 0.
        """
        under_way = (self.rate or 0.0) * 1e6 / 8 * self.delay / 1e3
        return round(OVERHEAD * (under_way + self.queue_bytes)) if self.rate else 0

    @property
    def asked(self) -> frozenset[str]:
        """The parameters that this shape needs a shaper to have."""
        return frozenset(name for name in PARAMETERS if getattr(self, name) and name not in COME_ALONG)

    @property
    def by_packet(self) -> bool:
        """Whether it treats single packets differently, so that hosts must hand over single ones."""
        return any((self.loss, self.duplicate, self.corrupt, self.reorder))

    @property
    def gilbert(self) -> tuple[float, float] | None:
        """Chances of going into the bad state, where all is lost, and back; None without bursts.

        The mean stay in the bad state is `burst` packets, the share of it the loss (Gilbert 1960;
        Elliott's model with no loss in the good state and nothing but loss in the bad one).
        """
        if self.burst is None:
            return None
        back = 1 / self.burst
        return (back * self.loss / (100 - self.loss) if self.loss < 100 else 1.0), back


@dataclass(frozen=True)
class LinkState:
    """A link as a shaper sees it: its number, its shapes, and where its two ends are."""

    name: str
    number: int
    ab: Shape = field(default_factory=Shape)
    ba: Shape = field(default_factory=Shape)
    end_a: str = ""
    end_b: str = ""
    interface_a: str = ""
    interface_b: str = ""
    #: ms by which each direction's packets leave earlier: what the path itself takes (see `calibrate`).
    trim: float = 0.0
    #: Whether the link was cut, on purpose.
    down: bool = False

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

    def imposed(self, direction: str) -> float:
        """The delay (ms) that a shaper imposes, for the path to have the one that was asked."""
        return max(0.0, self.shape(direction).delay - self.trim)

    def seen(self, direction: str, imposed: float) -> float:
        """The delay (ms) that a direction has, of one that is imposed on it."""
        return imposed + self.shape(direction).delay - self.imposed(direction)

    def changed(self, directions: tuple[str, ...], **params: Any) -> LinkState:
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
        if params.get("loss") == 0 and "burst" not in params:
            params["burst"] = None  # no bursts without a loss
        ab, ba = (replace(self.shape(d), **params) if d in directions else self.shape(d) for d in DIRECTIONS)
        return replace(self, ab=ab, ba=ba)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LinkState:
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
    def line(self) -> LinkState:
        """Half of the round trip is imposed in each direction, if the link says nothing else.

        Raises:
            ShaperError: the link's parameters cannot be together.
        """
        link = self.link
        return LinkState(
            link.name,
            link.number,
            Shape(**asdict(link.way(link.a)), mtu=link.mtu),
            Shape(**asdict(link.way(link.b)), mtu=link.mtu),
            netns.path(self.end_a),
            netns.path(self.end_b),
            link.interface_a,
            link.interface_b,
        )
