"""Links as measured during an interval, against what was asked of them. Pure functions of two readings."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from lab.emulation.links.calibration import ABOVE, DEVIATIONS, TOLERANCE_MS, TOLERANCE_SHARE
from lab.emulation.links.gauge import Flow, added
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.feed.objects import COLUMNS, Asked, AskedLink, Row
from lab.runs.verdict import LATE_MEAN_MS

#: Readings over which a loss is counted: the parts of one reading are some microseconds apart, in which
#: packets pass.
WINDOW = 10
#: Packets below which a loss is not told.
LEAST_PACKETS = 20
#: Round trips in a row that must be wrong: one alone may have waited for a processor.
WRONG = 3
YES, NO = 1, 0
#: The place of the lateness in a row.
LATENESS = COLUMNS.index("lateness_ms")


@dataclass(frozen=True)
class Measured:
    """One direction during an interval; None for what is not known."""

    rate: float
    packets: float
    loss: float | None
    waiting: int
    waiting_bytes: int
    drops: int
    unexpected: int
    late: float | None
    carried: int


def measured(before: Flow, now: Flow, oldest: Flow, seconds: float) -> Measured:
    """Return what happened in a direction during `seconds` (s); its loss is counted since `oldest`."""
    packets = added(now.packets, before.packets)
    sent, lost = added(now.packets, oldest.packets), max(0, now.lost - oldest.lost)
    tried = sent + lost
    late = now.late - before.late
    return Measured(
        rate=(now.bytes - before.bytes) * 8e-6 / seconds,
        packets=packets / seconds,
        loss=100 * lost / tried if tried >= LEAST_PACKETS else None,
        waiting=now.waiting,
        waiting_bytes=now.waiting_bytes,
        drops=added(now.overflow, before.overflow),
        unexpected=max(0, now.unexpected - before.unexpected),
        late=max(0.0, now.late_ms - before.late_ms) / late if late > 0 else None,
        carried=tried,
    )


def direction_fault(shape: Shape, got: Measured) -> str:
    """Return a sentence if a direction does not keep to what was asked; "" if it does."""
    if got.unexpected:
        return f"dropped {got.unexpected} packets that it was not told to drop"
    if got.late is not None and got.late > LATE_MEAN_MS:
        return f"let its packets go {got.late:.2g} ms late on average"
    if shape.rate and got.rate > shape.rate * (1 + ABOVE) + burst_rate(shape):
        return f"was asked for {shape.rate:g} Mbit/s and carried {got.rate:.4g}"
    if got.loss is not None:
        spread = sqrt(shape.loss * (100 - shape.loss) / got.carried * (2 * (shape.burst or 1) - 1))
        if abs(got.loss - shape.loss) > DEVIATIONS * spread + 100 / got.carried:
            return f"was asked for a loss of {shape.loss:g} % and lost {got.loss:.3g} %"
    return ""


def burst_rate(shape: Shape) -> float:
    """Return what may pass at once after a pause, as Mbit/s over a second."""
    return 4 * shape.packet * 8e-6


def rtt_fault(state: LinkState, rtt: float) -> str:
    """Return a sentence if a round trip (ms) is not what was asked; "" if it is."""
    asked = state.ab.delay + state.ba.delay
    jitter = state.ab.jitter + state.ba.jitter
    slack = max(TOLERANCE_MS, TOLERANCE_SHARE * asked) + 4 * jitter
    if state.ab.reorder or state.ba.reorder or abs(rtt - asked) <= slack:
        return ""
    return f"was asked for {asked:g} ms and has {rtt:.4g}"


@dataclass
class LinkHistory:
    """The last readings of a link, and what was last told of each direction."""

    flows: deque[tuple[Flow, Flow]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    told: list[Row | None] = field(default_factory=lambda: [None, None])
    wrong: int = 0
    why: str = ""

    def judge(self, state: LinkState, got: Sequence[Measured], rtt: float | None) -> tuple[int | None, str]:
        """Return if a link keeps to its settings (None: not known), and why not."""
        for direction, one in zip(DIRECTIONS, got, strict=True):
            if fault := direction_fault(state.shape(direction), one):
                return NO, f"{ends(state.name, direction)} {fault}"
        idle = not any(one.waiting or one.drops for one in got)
        fault = rtt_fault(state, rtt) if rtt is not None and idle and not state.down else ""
        self.wrong = self.wrong + 1 if fault else 0
        if self.wrong >= WRONG:
            return NO, fault
        if rtt is None and not any(one.carried for one in got):
            return None, "nothing passed, and no echo came back"
        return YES, ""


def ends(name: str, direction: str) -> str:
    """Return a direction in words."""
    return f"{name} ({direction})"


def row(number: int, direction: int, got: Measured, rtt: float | None, keeps: int | None) -> Row:
    """Return a direction as the feed has it; see `objects.COLUMNS`."""
    return [
        number,
        direction,
        short(got.rate),
        short(got.packets),
        None if rtt is None else round(rtt, 2),
        None if got.loss is None else round(got.loss, 2),
        got.waiting,
        got.waiting_bytes,
        got.drops,
        None if got.late is None else round(got.late, 3),
        keeps,
    ]


def with_lateness(got: Measured, told: Row | None) -> Measured:
    """Return a direction with the lateness that was last told, where packets passed and none is known yet.

    The wire is not asked at every look.
    """
    late = told[LATENESS] if told is not None and got.late is None and got.packets else None
    return got if late is None else replace(got, late=float(late))


def short(value: float) -> float | int:
    """Return a figure with four digits: more is noise, and costs room."""
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() else rounded


def asked(state: LinkState) -> AskedLink:
    """Return the settings of a link, as the feed has them."""
    forth, back = _asked(state.ab, state.down), _asked(state.ba, state.down)
    return {"asked": forth} if forth == back else {"asked": forth, "asked_back": back}


def _asked(shape: Shape, down: bool) -> Asked:
    return {
        "delay_ms": shape.delay,
        "rate_mbit_s": shape.rate,
        "loss_percent": shape.loss,
        "jitter_ms": shape.jitter,
        "queue_bytes": shape.queue_bytes if shape.rate else None,
        "queue_packets": shape.queue_bytes // shape.packet if shape.rate else None,
        "down": down,
    }
