"""Windows of a sample in which no CPU was left."""

from __future__ import annotations

import pytest

from lab.measure import cpu_saturation


def test_a_second_in_which_no_cpu_was_left_shows_though_the_mean_is_low() -> None:
    # given four windows of a hundred ticks, in the second of which hardly one was idle
    idle = [0, 60, 64, 124, 184]
    times = [0.0, 0.1, 0.2, 0.3, 0.4]
    ticks = [{"user": 100 * n - i, "idle": i, "iowait": 0} for n, i in enumerate(idle)]
    readings = list(zip(times, ticks, strict=True))
    assert cpu_saturation.saturated_share(readings) == pytest.approx(0.25)
    assert cpu_saturation.busy_share(readings[0][1], readings[-1][1]) < 0.6
    assert cpu_saturation.saturated_share(readings[:1]) == 0.0
    # a window that came late, as on a starved machine, counts for all of its time
    late = [(t if n < 2 else t + 0.4, found) for n, (t, found) in enumerate(readings)]
    assert cpu_saturation.saturated_share(late) == pytest.approx(0.5 / 0.8, abs=1e-4)
