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


class Chance(Random):
    """Draws what a test says, one after the other."""

    def __init__(self, *draws: float) -> None:
        super().__init__(1)
        self.draws = list(draws)

    def random(self) -> float:
        return self.draws.pop(0)


def test_where_nothing_is_asked_nothing_happens() -> None:
    vary = jitter.Variation({}, Chance())
    assert (vary.lost(), vary.early(), vary.extra()) == (False, False, 0)
    assert vary.asked == {}


def test_the_packet_after_a_burst_begins_is_the_first_that_is_lost() -> None:
    vary = jitter.Variation({"begins": 0.25, "ends": 0.5}, Chance(0.3, 0.2, 0.6, 0.5, 0.4, 0.9))
    assert [vary.lost() for _ in range(6)] == [False, False, True, True, True, False]


def test_a_packet_goes_ahead_by_the_chance_that_was_asked() -> None:
    vary = jitter.Variation({"reorder": 0.5}, Chance(0.4, 0.6, 0.5))
    assert [vary.early() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(("drawn", "extra"), [(1.5, 1500), (9.0, 4000), (-9.0, -4000), (-0.5, -500)])
def test_no_packet_is_more_than_four_deviations_early_or_late(
    monkeypatch: pytest.MonkeyPatch, drawn: float, extra: int
) -> None:
    monkeypatch.setattr(Random, "gauss", lambda self, mean, deviation: mean + deviation * drawn)
    assert jitter.Variation({"jitter": 1000}, Random(1)).extra() == extra
