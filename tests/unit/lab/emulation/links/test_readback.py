"""Read-back: every field of a link is compared with what was asked. No root."""

from __future__ import annotations

import pytest

from lab.emulation.links import readback
from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError


@pytest.mark.parametrize(
    ("got", "field"),
    [
        (Shape(9.0, rate=50.0, loss=1.0), "delay was set to 10.0 ms and reads back as 9.0"),
        (Shape(10.0, rate=49.0, loss=1.0), "rate was set to 50.0 Mbit/s"),
        (Shape(10.0, rate=None, loss=1.0), "rate was set to 50.0 Mbit/s and reads back as None"),
        (Shape(10.0, rate=50.0, loss=0.0), "loss was set to 1.0 %"),
        (Shape(10.0, rate=50.0, loss=1.0, jitter=0.5), "jitter was set to 0.0 ms"),
        (Shape(10.0, rate=50.0, loss=1.0, burst=2.0), "burst was set to None packets and reads back as 2.0"),
        (Shape(10.0, rate=50.0, loss=1.0, duplicate=2.0), "duplicate was set to 0.0 %"),
        (Shape(10.0, rate=50.0, loss=1.0, corrupt=2.0), "corrupt was set to 0.0 %"),
        (Shape(10.0, rate=50.0, loss=1.0, reorder=2.0), "reorder was set to 0.0 %"),
        (Shape(10.0, rate=50.0, loss=1.0, queue=9), "queue was set to"),
    ],
)
def test_every_field_is_compared(got: Shape, field: str) -> None:
    line = LinkState("A-B", 1, Shape(10.0, rate=50.0, loss=1.0), Shape())

    with pytest.raises(ShaperError, match=field):
        readback.compare(line, "ab", got)
    readback.compare(line, "ab", Shape(10.0004, rate=50.00001, loss=1.00002))


def test_the_largest_rounding_is_none_too_large_by_the_error_of_floats() -> None:
    asked = LinkState("c16-c49", 1, Shape(4.06), Shape())
    readback.compare(asked, "ab", Shape(4.057999999999999))


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        # a share of a thousandth of what was asked
        (Shape(10.0, rate=1000.0), Shape(10.0, rate=1000.9)),
        (Shape(loss=5.0, burst=400.0), Shape(loss=5.0, burst=400.3)),
        # the queue of a shape that names none is known in bytes
        (Shape(10.0, rate=50.0), Shape(10.0, rate=50.0, queue=Shape(10.0, rate=50.0).queue_bytes)),
    ],
)
def test_what_rounding_explains_is_no_difference(asked: Shape, got: Shape) -> None:
    readback.compare(LinkState("A-B", 1, asked, Shape()), "ab", got)


@pytest.mark.parametrize(
    ("asked", "got", "said"),
    [
        (Shape(10.0, rate=1000.0), Shape(10.0, rate=1001.1), "rate was set to 1000.0 Mbit/s"),
        (Shape(loss=5.0, burst=400.0), Shape(loss=5.0, burst=400.5), "burst was set to 400.0 packets"),
        (Shape(10.0), Shape(10.003), "delay was set to 10.0 ms"),
        (Shape(loss=5.0), Shape(loss=5.0002), "loss was set to 5.0 %"),
        (
            Shape(10.0, rate=50.0, queue=90_000),
            Shape(10.0, rate=50.0, queue=90_001),
            "queue was set to 90000",
        ),
    ],
)
def test_more_than_rounding_is_told(asked: Shape, got: Shape, said: str) -> None:
    with pytest.raises(ShaperError, match=f"A-B .ba.: {said}"):
        readback.compare(LinkState("A-B", 1, Shape(), asked), "ba", got)
