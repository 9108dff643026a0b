"""Read-back of a link: the settings that the kernel reports, compared with those asked, field by field."""

from __future__ import annotations

from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError
from lab.topology.impairments import RANGES

#: Largest difference that rounding in the kernel explains, by unit; for `SHARES` as a share of the value.
ROUNDING = {"ms": 2e-3, "percent": 1e-4, "bytes": 0.0, "Mbit/s": 1e-3, "packets": 1e-3}
SHARES = ("Mbit/s", "packets")
#: What is lost when such differences are computed: 4.06 less 4.058 is a little more than 0.002.
EPSILON = 1e-9


def compare(link: LinkState, direction: str, got: Shape) -> None:
    """Check that a direction reads back as asked.

    Raises:
        ShaperError: names the first field that differs, with both values.
    """
    asked = link.shape(direction)
    for name, (_, _, unit) in RANGES.items():
        want, have = getattr(asked, name), getattr(got, name)
        if name == "queue" and want != have:
            want, have = asked.queue_bytes, have
        slack = ROUNDING[unit] * ((want or 0.0) if unit in SHARES else 1.0)
        if (want is None) != (have is None) or (want is not None and abs(want - have) > slack + EPSILON):
            raise ShaperError(
                f"{link.name} ({direction}): {name} was set to {want} {unit.replace('percent', '%')} "
                f"and reads back as {have}; something else changed it, take the lab down and up again"
            )
