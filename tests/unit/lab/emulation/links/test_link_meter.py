"""The meter of links: the rate of what arrives. No root."""

from __future__ import annotations

import pytest

from lab.emulation.links import link_meter


def test_a_rate_is_that_of_what_comes_after_the_bucket() -> None:
    full = [(0, 7200)] * 20  # the bucket, at once
    steady = [(60_000_000 + n * 1_000_000, 14400) for n in range(100)]

    # 12 packets of 1200 and their headers each millisecond
    assert link_meter.arrival_rate([*full, *steady], 1200, 0.05) == pytest.approx(
        12 * 1242 * 8 / 1000, rel=1e-3
    )
    assert link_meter.arrival_rate([], 1200, 0.05) == 0.0
