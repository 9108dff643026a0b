"""A clock that is set while a sample is measured, on a kernel whose clock nobody else needs.

python tests/kernels/run.py .venv/bin/python -m pytest -q -p no:cacheprovider tests/kernels/test_clock.py
"""

from __future__ import annotations

import os
import time

import pytest

from lab.measure.machine import MachineRecorder
from lab.runs.verdict import verdict

#: A machine's own clock is nothing to set in a test.
pytestmark = pytest.mark.skipif(
    "LAB_REPORT" not in os.environ, reason="sets the clock: runs in a kernel in a box (tests/kernels/run.py)"
)


@pytest.mark.parametrize("by", [-3600.0, 0.01, 5.0])
async def test_a_clock_that_is_set_breaks_the_sample(by: float) -> None:
    machine = MachineRecorder()
    await machine.start()
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + by)
    record = await machine.stop()
    judged = verdict(record["seconds"], record, {})
    assert record["clock"]["set_ms"] == pytest.approx(1000 * by, abs=5)
    assert judged.state == "broken"
    assert "clock was set" in judged.reasons[0]


async def test_a_clock_that_is_left_alone_does_not() -> None:
    machine = MachineRecorder()
    await machine.start()
    record = await machine.stop()
    assert abs(record["clock"]["set_ms"]) < 1
    assert verdict(record["seconds"], record, {}).state != "broken"
