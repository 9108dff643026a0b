"""Throughput between two sites: its grid, and the published figures beside it."""

from __future__ import annotations

import pytest

from experiments import throughput
from experiments.throughput import published
from lab.report.charts import Series
from tests.unit.experiments.helpers import grid


def test_datagrams_of_both_studies() -> None:
    assert [c.metric for c in grid(throughput.Throughput())] == ["tcp", "udp", "udp1470"]


@pytest.mark.parametrize(
    ("overlay", "metric", "figure"),
    [("weave", "tcp", 209.8), ("weave", "udp1470", 128.9), ("weave", "udp", None), ("tinc", "tcp", None)],
)
def test_published_figures_stand_where_there_are_some(
    overlay: str, metric: str, figure: float | None
) -> None:
    assert published(overlay, (), Series("", metric, "")) == figure


def test_the_control_stands_beside_the_mean_of_their_machines() -> None:
    assert published("underlay", (), Series("", "tcp", "")) == pytest.approx((148.9 + 188.5 + 187.2) / 3)
