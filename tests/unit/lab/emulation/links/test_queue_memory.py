"""The memory that links may take. No root."""

from __future__ import annotations

import pytest

from lab.emulation.links import queue_memory
from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError


def test_what_the_memory_cannot_hold_is_refused_with_what_it_needs() -> None:
    line = LinkState("A-B", 1, Shape(5000.0, rate=100_000.0), Shape(20.0, rate=100.0))

    assert Shape(50.0, rate=100.0).memory == 1.5 * (625_000 + 2_500_000)
    queue_memory.check([line], 2000 << 30)
    with pytest.raises(ShaperError, match=r"A-B: .* need 436.6 GiB of memory .* half of the 8.0 GiB"):
        queue_memory.check([line], 8 << 30)
    assert line.ab.held > 8_000_000, "netem and the wire have room for all packets under way"
