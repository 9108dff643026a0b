"""The state of a link as data: one `Shape` per direction, one `LinkState` per link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lab.emulation.links import netns
from lab.emulation.links.jitter import WIDEST
from lab.errors import ShaperError, UnknownName
from lab.topology import impairments
from lab.topology.impairments import PARAMETERS, Impairments

if TYPE_CHECKING:
    from lab.topology import LinkSpec

#: `ab` is what host A sends to host B. It enters the lab's namespace at port ``<number>a``
#: and leaves it at port ``<number>b``.
DIRECTIONS = ("ab", "ba")
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
class Shape(Impairments):
    """The impairments of one direction as a shaper imposes them, on packets of at most `mtu` bytes.

    Raises:
        ShaperError: it cannot be; names everything that is wrong.
    """

    mtu: int = field(default=1500, kw_only=True)

    def __post_init__(self) -> None:
        values = {name: getattr(self, name) for name in PARAMETERS}
        # a running link may be set to lose everything
        faults = list(impairments.faults({**values, "loss": min(self.loss, 99.9)}))
        if self.loss > 100:
            faults.append(f"loss {self.loss:g} percent is not between 0 and 100")
        faults = faults or list(impairments.combined_faults(values))
        megabits = self.packet * 8 / 1e6
        if self.rate and not faults and (seconds := megabits / self.rate) > LONGEST_PACKET:
            faults.append(
                f"at {self.rate:g} Mbit/s a packet of {self.packet} bytes takes {seconds:.1f} s; "
                f"it needs {megabits / LONGEST_PACKET:.3g} Mbit/s, or a smaller MTU"
            )
        if faults:
            raise ShaperError(f"a link cannot be so: {'; '.join(faults)}")

    @property
    def packet(self) -> int:
        """The size of a full packet with its Ethernet header, bytes."""
        return self.mtu + HEADER

    @property
    def queue_bytes(self) -> int:
        """The bytes that may wait for the rate.

        Twice the bandwidth-delay product (rate × twice the one-way delay), and at least 64 full packets:
        shorter ones starve a single TCP flow on a long fat link.
        """
        if self.queue is not None:
            return self.queue
        product = (self.rate or 0.0) * 1e6 / 8 * 2 * self.delay / 1e3
        return max(LEAST_PACKETS * self.packet, round(2 * product))

    @property
    def held(self) -> int:
        """The packets that this direction must be able to hold for their delay."""
        longest = self.delay + WIDEST * self.jitter
        return max(LEAST_HELD, round(2 * (self.rate or 0.0) * 1e6 / 8 * longest / 1e3 / self.packet))

    @property
    def memory(self) -> int:
        """The bytes of memory that full packets take while they are delayed and wait for the rate.

        For a direction without a rate that is unknown, and 0.
        """
        under_way = (self.rate or 0.0) * 1e6 / 8 * self.delay / 1e3
        return round(OVERHEAD * (under_way + self.queue_bytes)) if self.rate else 0

    @property
    def needed(self) -> frozenset[str]:
        """The parameters that this shape needs a shaper to have; who has jitter has its distributions."""
        return frozenset(name for name in PARAMETERS if getattr(self, name) and name != "distribution")

    @property
    def by_packet(self) -> bool:
        """True where single packets are treated differently, so that hosts must hand over single ones."""
        return any((self.loss, self.duplicate, self.corrupt, self.reorder))

    @property
    def gilbert(self) -> tuple[float, float] | None:
        """The chances of going into the bad state, where all is lost, and back; None without bursts.

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
    #: Set down, on purpose.
    down: bool = False

    @property
    def bridge(self) -> str:
        """The bridge in the lab's namespace that joins the two ports."""
        return f"br{self.number}"

    def shape(self, direction: str) -> Shape:
        """Return what is imposed in a direction."""
        return self.ab if direction == "ab" else self.ba

    def direction_number(self, direction: str) -> int:
        """Return the number of a direction, of its class and of its queue: no other of the lab has it."""
        return 2 * self.number + DIRECTIONS.index(direction)

    def port_in(self, direction: str) -> str:
        """Return the port of the lab's namespace at which packets of this direction come in."""
        return f"{self.number}{direction[0]}"

    def port_out(self, direction: str) -> str:
        """Return the port of the lab's namespace at which packets of this direction leave."""
        return f"{self.number}{direction[1]}"

    def imposed_delay(self, direction: str) -> float:
        """Return the delay (ms) that a shaper imposes, for the path to have the one that was asked."""
        return max(0.0, self.shape(direction).delay - self.trim)

    def resulting_delay(self, direction: str, imposed: float) -> float:
        """Return the delay (ms) that a direction has, of one that is imposed on it."""
        return imposed + self.shape(direction).delay - self.imposed_delay(direction)

    def changed(self, directions: tuple[str, ...], **params: Any) -> LinkState:
        """Return this link, some parameters of some directions set anew; `rtt` (ms) is half a delay each way.

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

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LinkState:
        """Return the link whose fields, by `asdict`, were stored."""
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
    def state(self) -> LinkState:
        """The link as it is made: half of the round trip each way, if it says nothing else.

        Raises:
            ShaperError: the link's parameters cannot be together.
        """
        link = self.link
        return LinkState(
            link.name,
            link.number,
            Shape(**asdict(link.impairments(link.a)), mtu=link.mtu),
            Shape(**asdict(link.impairments(link.b)), mtu=link.mtu),
            netns.path(self.end_a),
            netns.path(self.end_b),
            link.interface_a,
            link.interface_b,
        )
