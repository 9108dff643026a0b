"""The contract of shapers: what one cannot impose. No root."""

from __future__ import annotations

import pytest

from lab.emulation.links import shaper
from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError


def test_a_shaper_refuses_what_it_cannot_do_and_names_the_other() -> None:
    line = LinkState("AMS-PRG", 1, Shape(duplicate=1.0), Shape(corrupt=1.0, delay=5.0, jitter=1.0))

    shaper.refuse("netem", [line])
    with pytest.raises(
        ShaperError, match=r"AMS-PRG: wire cannot impose corrupt, duplicate; netem can \(--shaper netem\)"
    ):
        shaper.refuse("wire", [line])
