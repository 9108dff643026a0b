"""What chance does to packets: jitter and bursts of losses, as asked. No root."""

from __future__ import annotations

from itertools import groupby
from random import Random

import pytest

from lab.emulation.links import jitter, netem_tables
from lab.emulation.links.link import Shape
from lab.topology import impairments


def test_both_shapers_draw_from_the_same_distributions() -> None:
    for name in impairments.DISTRIBUTIONS:
        vary = jitter.Variation({"jitter": 1_000_000, "distribution": name}, Random(1))
        got = sorted(vary.extra() / 1e6 for _ in range(40_000))
        for share in (0.01, 0.1, 0.5, 0.9, 0.99):
            assert got[round(share * len(got))] == pytest.approx(netem_tables.quantile(name, share), abs=0.12)


def test_losses_come_in_bursts_of_the_length_and_with_the_share_that_were_asked() -> None:
    begins, ends = Shape(loss=5.0, burst=4.0).gilbert or (0, 0)
    vary = jitter.Variation({"begins": begins, "ends": ends}, Random(1))
    lost = [vary.lost() for _ in range(200_000)]
    bursts = [len(list(run)) for gone, run in groupby(lost) if gone]

    assert sum(lost) / len(lost) == pytest.approx(0.05, rel=0.1)
    assert sum(bursts) / len(bursts) == pytest.approx(4.0, rel=0.1)
