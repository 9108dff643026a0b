"""Offload: set and read back before a sample."""

from __future__ import annotations

import pytest

from experiments import offload
from lab import catalog
from lab.errors import MeasureError
from tests.unit.experiments.helpers import endpoints, grid, text


async def test_offload_is_set_and_read_back_before_a_sample() -> None:
    experiment = offload.Offload()
    cell = next(c for c in grid(experiment) if c.params["offload"] == "off")
    found = endpoints(
        catalog.topology(experiment.topology),
        {"ethtool": text("ethtool/features-off.txt"), "iperf3": text("iperf3/tcp.json")},
    )
    reading = await experiment.measure(cell, found)
    ran = [argv[3:] for argv in found["AMS"].host.ran]  # type: ignore[attr-defined]
    assert ran[0] == ("ethtool", "-K", "eth0", "gso", "off", "tso", "off")
    assert reading.facts["ufo"] == "gone from Linux since 4.14"
    assert reading.facts["offload"] == "off"
    assert reading.values == experiment.parse("tcp", reading.raw)


async def test_a_device_that_does_not_do_as_told_is_no_sample() -> None:
    experiment = offload.Offload()
    cell = next(c for c in grid(experiment) if c.params["offload"] == "off")
    found = endpoints(catalog.topology(experiment.topology), {"ethtool": text("ethtool/features.txt")})
    with pytest.raises(MeasureError, match="tcp-segmentation-offload cannot be set off"):
        await experiment.measure(cell, found)
