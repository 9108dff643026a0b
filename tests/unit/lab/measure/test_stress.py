"""Stress: one that ends early."""

from __future__ import annotations

import pytest

from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from tests.unit.fakes import FakeHost


async def test_a_stress_that_ends_early_is_no_sample() -> None:
    from lab.measure import stress

    host = FakeHost("AMS", lambda argv: (2, "stress-ng: error: no such stressor"))
    with pytest.raises(MeasureError, match="ended with status 2 before its 1 s were over"):
        await stress.load_one_cpu(Endpoint(host, "c", "192.0.2.1"), 1)  # type: ignore[arg-type]
