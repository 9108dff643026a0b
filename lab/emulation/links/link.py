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
#: The least number of packets that a direction can hold while they are delayed: 100 ms at 1 million
#: packets/s. With a rate it can hold twice what arrives in that time, if that is more.
LEAST_HELD = 100_000
#: Seconds that a full packet may take at a rate: after one second TCP sends it again (RFC 6298).
LONGEST_PACKET = 1.0
#: Memory of a packet, as a multiple of its size: the kernel's own records and unused space come on top.
OVERHEAD = 1.5


@dataclass(frozen=True)
class Shape(Impairments):
    """The impairments of one direction as a shaper imposes them, on packets of at most `mtu` bytes.

    Raises:
        ShaperError: these values cannot be imposed; names every fault.
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
        """The bytes that may wait in the queue before the rate limit.

        By default twice the bandwidth-delay product (rate × twice the one-way delay), and at least 64
        full packets: shorter queues starve a single TCP flow on a link with a high rate and a long delay.
        """
        if self.queue is not None:
            return self.queue
        product = (self.rate or 0.0) * 1e6 / 8 * 2 * self.delay / 1e3
        return max(LEAST_PACKETS * self.packet, round(2 * product))

    @property
    def held(self) -> int:
        """The number of packets that this direction must be able to hold while they are delayed."""
        longest = self.delay + WIDEST * self.jitter
        return max(LEAST_HELD, round(2 * (self.rate or 0.0) * 1e6 / 8 * longest / 1e3 / self.packet))

    @property
    def memory(self) -> int:
        """The bytes of memory that full packets take while they are delayed and wait for the rate.

        0 for a direction without a rate, where it is unknown.
        """
        under_way = (self.rate or 0.0) * 1e6 / 8 * self.delay / 1e3
        return round(OVERHEAD * (under_way + self.queue_bytes)) if self.rate else 0

    @property
    def needed(self) -> frozenset[str]:
        """The parameters that a shaper must support; one that has jitter has all its distributions."""
        return frozenset(name for name in PARAMETERS if getattr(self, name) and name != "distribution")

    @property
    def by_packet(self) -> bool:
        """True if impairments hit single packets, so that hosts must send single ones (see `gso`)."""
        return any((self.loss, self.duplicate, self.corrupt, self.reorder))

    @property
    def gilbert(self) -> tuple[float, float] | None:
        """The chances of entering the bad state, where all is lost, and of leaving it; None without bursts.

        The mean stay in the bad state is `burst` packets, and its share of all packets is the loss (Gilbert
        1960; Elliott's model with no loss in the good state and nothing but loss in the bad one).
        """
        if self.burst is None:
            return None
        back = 1 / self.burst
        return back * self.loss / (100 - self.loss), back  # bursts at a loss of 100 percent are refused


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
    #: Time (ms) by which each direction's packets leave earlier, as the path takes so long (see `calibrate`).
    trim: float = 0.0
    #: Set down, on purpose.
    down: bool = False

    @property
    def bridge(self) -> str:
        """The bridge in the lab's namespace that joins the two ports."""
        return f"br{self.number}"

    def shape(self, direction: str) -> Shape:
        """Return the impairments of a direction."""
        return self.ab if direction == "ab" else self.ba

    def direction_number(self, direction: str) -> int:
        """Return a direction's number, unique in the lab; its class and its queue have the same number."""
        return 2 * self.number + DIRECTIONS.index(direction)

    def port_in(self, direction: str) -> str:
        """Return the port of the lab's namespace at which packets of this direction come in."""
        return f"{self.number}{direction[0]}"

    def port_out(self, direction: str) -> str:
        """Return the port of the lab's namespace at which packets of this direction leave."""
        return f"{self.number}{direction[1]}"

    def imposed_delay(self, direction: str) -> float:
        """Return the delay (ms) that a shaper has to impose so that the path has the requested one."""
        return max(0.0, self.shape(direction).delay - self.trim)

    def resulting_delay(self, direction: str, imposed: float) -> float:
        """Return the delay (ms) that a direction has when a shaper imposes `imposed` (ms) on it."""
        return imposed + self.shape(direction).delay - self.imposed_delay(direction)

    def changed(self, directions: tuple[str, ...], **params: Any) -> LinkState:
        """Return this link with other parameters in some directions; half of `rtt` (ms) is the delay of each.

        Raises:
            UnknownName: there is no such parameter.
            ShaperError: the values cannot be imposed.
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
        """Return the link from its stored fields (those of `asdict`)."""
        return cls(**{**data, "ab": Shape(**data["ab"]), "ba": Shape(**data["ba"])})


@dataclass(frozen=True)
class Wiring:
    """A link of a topology, with the network namespaces of its two hosts.

    `end_a` and `end_b` are each a process id, or the name or path of a network namespace.
    """

    link: LinkSpec
    end_a: int | str
    end_b: int | str

    @property
    def state(self) -> LinkState:
        """The state in which the link is made: half of the round trip each way, unless it says otherwise.

        Raises:
            ShaperError: the link's parameters cannot be combined.
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
