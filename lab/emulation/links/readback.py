"""What was asked of a link against what it says it does, field by field."""

from __future__ import annotations

from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError

#: Largest difference that rounding in the kernel explains: ms, relative, percent, ms, bytes, relative.
DELAY, RATE, LOSS, JITTER, QUEUE, BURST = 2e-3, 1e-3, 1e-4, 2e-3, 0, 1e-3


def same(line: LinkState, direction: str, got: Shape) -> None:
    """Return when a direction reads back as asked.

    Raises:
        ShaperError: the first field that differs, with both values.
    """
    asked = line.shape(direction)
    room = asked.queue_bytes if got.queue == asked.queue else got.queue
    pairs = {
        "delay": (asked.delay, got.delay, DELAY, "ms"),
        "rate": (asked.rate, got.rate, RATE * (asked.rate or 0.0), "Mbit/s"),
        "loss": (asked.loss, got.loss, LOSS, "%"),
        "jitter": (asked.jitter, got.jitter, JITTER, "ms"),
        "burst": (asked.burst, got.burst, BURST * (asked.burst or 0.0), "packets"),
        "duplicate": (asked.duplicate, got.duplicate, LOSS, "%"),
        "corrupt": (asked.corrupt, got.corrupt, LOSS, "%"),
        "reorder": (asked.reorder, got.reorder, LOSS, "%"),
        "queue": (asked.queue_bytes, room, QUEUE, "bytes"),
    }
    for name, (want, have, slack, unit) in pairs.items():
        differs = (want is None) != (have is None) or (
            want is not None and have is not None and abs(want - have) > slack
        )
        if differs:
            raise ShaperError(
                f"{line.name} ({direction}): {name} was set to {want} {unit} and reads back as {have}; "
                f"something else changed it, take the lab down and up again"
            )
