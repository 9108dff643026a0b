"""The contract of a shaper, and which one this machine can have.

A shaper imposes delay, rate and loss on the links of one lab, inside the lab's own network
namespace. It fails loudly: a link that cannot be shaped as asked carries nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from lab.emulation import memory
from lab.emulation.links.link import LinkState, Shape, Wiring
from lab.emulation.ownership import Process
from lab.errors import MachineError, ShaperError, UnknownName
from lab.hosts import command
from lab.hosts.command import RunCommand

if TYPE_CHECKING:
    from lab.topology.specs import LinkSpec


@dataclass(frozen=True)
class Counters:
    """What happened in one direction of a link since it was made.

    Attributes:
        packets: packets that left the link (a GSO packet is one).
        bytes: bytes that left the link.
        overflow: packets dropped because the queue before the rate was full: what a real link does.
        unasked: packets dropped that no parameter asked for: a full or dead wire.
        lateness: how late packets were released, ms, by quantile (``p50``, ``p99``, ``max``);
            empty where the kernel does not tell.
        late_counts: packets by class of lateness, each named by its upper bound (ms; infinity for
            the last): of two readings the difference tells about the time between them.
        late_ms: how late all packets were, taken together, ms.
    """

    packets: int
    bytes: int
    overflow: int
    unasked: int
    lateness: Mapping[str, float] = field(default_factory=dict)
    late_counts: Mapping[float, int] = field(default_factory=dict)
    late_ms: float = 0.0


#: What each parameter means; the order is that of the table in the documentation.
MEANINGS = {
    "delay": "ms, one way; `rtt` sets half of it in each direction",
    "rate": "Mbit/s with Ethernet headers",
    "loss": "percent of the packets, each by its own chance",
    "burst": "packets lost in a row, on average (Gilbert-Elliott); `loss` is the share that is lost in all",
    "jitter": "ms, standard deviation of the delay; packets keep their order",
    "distribution": "of the jitter: normal (default), uniform or pareto",
    "duplicate": "percent of the packets that arrive twice",
    "corrupt": "percent of the packets in which one bit is wrong",
    "reorder": "percent of the packets that are not delayed, and so overtake others",
    "queue": "bytes that wait for the rate; by default twice rate × 2 × delay, and 64 full packets at least",
}


class Shaper(Protocol):
    """Shapes the links of one lab. Its kind comes from `choose`: ``kind(lab_id, folder, run)``.

    `folder` holds what was asked, so that another process can take up a lab that stays up:
    it makes the shaper anew with the same folder, and `lines` has every link.
    """

    name: ClassVar[str]
    #: Parameters that it can impose, of `MEANINGS`.
    can: ClassVar[frozenset[str]]

    def __init__(self, lab_id: str, folder: Path, run: RunCommand = command.run) -> None: ...

    @classmethod
    async def probe(cls, run: RunCommand = command.run) -> str | None:
        """Why it cannot be had here, tried for real in a throw-away namespace; None when it can."""
        ...

    @property
    def lines(self) -> Mapping[str, LinkState]:
        """What is asked of each link, by its name."""
        ...

    @property
    def processes(self) -> tuple[Process, ...]:
        """What it keeps running; to be recorded by who cleans up."""
        ...

    async def prepare(self) -> None:
        """Make the lab's namespace ready: from here on it passes nothing that is not shaped.

        Raises:
            ShaperError: that cannot be had.
        """
        ...

    async def apply(self, lines: Sequence[LinkState]) -> None:
        """Shape further links, whose ports exist and are down; read back before returning.

        Raises:
            ShaperError: a parameter that it cannot impose (names the shaper that can), or a
                link that does not read back as asked.
        """
        ...

    async def change(
        self, link: str, *, directions: Sequence[str] = ("ab", "ba"), **params: Any
    ) -> LinkState:
        """Set some parameters (of `MEANINGS`, or `rtt`) of a running link.

        Nothing is torn down: packets under way stay under way, other parameters stay as they were.

        Raises:
            UnknownName: there is no such link.
            ShaperError: as `apply`.
        """
        ...

    async def put(self, line: LinkState) -> None:
        """Make a running link what a line says, all of it.

        Raises:
            UnknownName: there is no such link.
            ShaperError: as `apply`.
        """
        ...

    def first(self, link: str) -> LinkState:
        """The link as it was made. Raises UnknownName when there is no such link."""
        ...

    async def read_back(self, link: str) -> Mapping[str, Shape]:
        """What the kernel says that the link does, per direction, having been compared with what was asked.

        Raises:
            ShaperError: the first field that differs, with both values.
        """
        ...

    async def check(self) -> None:
        """Return when it is alive and every link is still as set.

        Raises:
            ShaperError: what is not.
        """
        ...

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        """Per link name and direction. Raises ShaperError when a part that counts is dead."""
        ...

    async def cost(self) -> Mapping[str, float]:
        """What the shaper itself used: ``cpu_seconds`` and the like; empty when the kernel does the work."""
        ...

    async def remove(self, links: Sequence[str]) -> None:
        """Forget links, whose ports are down or gone."""
        ...

    async def close(self) -> None:
        """End what it keeps running. Doing it twice changes nothing."""
        ...


def kinds() -> tuple[type[Shaper], ...]:
    """All shapers, the preferred one first."""
    from lab.emulation.links.netem import Netem
    from lab.emulation.wire.wire import Wire

    return Netem, Wire


def kind(name: str) -> type[Shaper]:
    """The shaper of this name, not tried.

    Raises:
        UnknownName: no shaper has this name.
    """
    known = {one.name: one for one in kinds()}
    if name not in known:
        raise UnknownName("shaper", name, known)
    return known[name]


async def choose(name: str = "auto", run: RunCommand = command.run) -> type[Shaper]:
    """The shaper that this machine can have: netem, then the wire; or the one that is named.

    Raises:
        UnknownName: no shaper has this name.
        MachineError: it, or neither, can be had; says why for each, and what to do.
    """
    known = {kind.name: kind for kind in kinds()}
    if name != "auto" and name not in known:
        raise UnknownName("shaper", name, [*known, "auto"])
    reasons = []
    for kind in known.values() if name == "auto" else [known[name]]:
        reason = await kind.probe(run)
        if reason is None:
            return kind
        reasons.append(f"{kind.name}: {reason}")
    raise MachineError(
        f"links cannot be shaped on this machine, so none is built ({'; '.join(reasons)}); "
        f"the box of the Vagrantfile has a kernel with netem"
    )


def refuse(kind: type[Shaper], lines: Sequence[LinkState]) -> None:
    """Raise when lines ask for what a shaper cannot impose.

    Raises:
        ShaperError: names the link, the parameters, and the shaper that has them.
    """
    for line in lines:
        if missing := (line.ab.asked | line.ba.asked) - kind.can:
            others = [other.name for other in kinds() if missing <= other.can]
            remedy = f"{' or '.join(others)} can (--shaper {others[0]})" if others else "no shaper here can"
            what = ", ".join(sorted(missing))
            raise ShaperError(f"{line.name}: {kind.name} cannot impose {what}; {remedy}")


def foresee(kind: type[Shaper], links: Sequence[LinkSpec]) -> None:
    """Return when a shaper can impose what links ask for; asked before anything is made.

    Raises:
        ShaperError: as `Shaper.apply`, or the links need more memory than there is.
    """
    lines = [Wiring(link, link.a, link.b).line for link in links]
    refuse(kind, lines)
    memory.hold(lines)


def abilities() -> str:
    """Which shaper can impose what, as the table of ``docs/links.md``."""
    known = kinds()
    rows = [["parameter", *(kind.name for kind in known), "unit and meaning, per direction"]]
    rows += [["---"] * len(rows[0])]
    for name, meaning in MEANINGS.items():
        rows.append([f"`{name}`", *("yes" if name in kind.can else "no" for kind in known), meaning])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
