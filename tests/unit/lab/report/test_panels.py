"""Panels: what is within a scale, and what is said of marks that are not."""

from __future__ import annotations

import pytest

from lab.report.panels import Figure, Mean, Panel, PanelSeries, mean
from lab.report.selection import Group, SampleValue


def figure(*series: PanelSeries, log: bool = False) -> Figure:
    panels = [Panel("p", [one], [1.0], "x", "y", log=log) for one in series]
    return Figure("t", panels, "c")


def test_panels_of_one_quantity_have_one_scale_that_holds_all_samples() -> None:
    one, other = (
        PanelSeries("a", [Mean(5.0, valid=[4.0, 6.0])]),
        PanelSeries("a", [Mean(80.0, invalid=[90.0])]),
    )
    scale = figure(one, other).scale("y")
    assert scale.bottom == 0
    assert 90 < scale.top < 100


def test_a_value_below_nothing_is_within_the_scale() -> None:
    assert figure(PanelSeries("a", [Mean(1.0, valid=[-0.5, 2.0])])).scale("y").bottom < -0.5


def test_an_interval_that_is_far_wider_than_the_samples_does_not_set_the_scale() -> None:
    assert figure(PanelSeries("a", [Mean(5.0, -90.0, 100.0, [5.0])])).scale("y").top < 6


@pytest.mark.parametrize(("published", "shown"), [(200.0, True), (400.0, False)])
def test_published_values_far_above_do_not_make_bars_vanish(published: float, shown: bool) -> None:
    drawn = figure(PanelSeries("a", [Mean(100.0)], [published]))
    assert drawn.shows("published") == shown == (drawn.scale("y").top > published)
    assert ("Published values beyond the scale are in the table." in drawn.scale("y").beyond) != shown


@pytest.mark.parametrize(("limit", "shown"), [(150.0, True), (956.0, False)])
def test_a_limit_far_above_is_said_in_place_of_drawn(limit: float, shown: bool) -> None:
    drawn = figure(PanelSeries("a", [Mean(100.0)], limits=[limit]))
    assert drawn.shows("limits") == shown
    said = [f"The limit of the link is beyond the scale: {limit:g}."]
    assert drawn.scale("y").beyond == ([] if shown else said)


def test_a_logarithmic_scale_shows_every_limit() -> None:
    assert figure(PanelSeries("a", [Mean(1.0)], limits=[1000.0]), log=True).shows("limits")


def test_a_mean_of_samples_that_do_not_count_has_no_interval() -> None:
    entries = [SampleValue(number, 10.0 + number, counts=False) for number in range(4)]
    found = mean(Group(entries))
    assert found is not None
    assert (found.doubtful, found.low, found.valid) == (True, None, [])
    assert mean(Group()) is None
    counted = mean(Group([entry._replace(counts=True) for entry in entries]))
    assert counted is not None
    assert counted.low is not None
