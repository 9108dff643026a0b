"""The baseline: a day in 24 parts, and the traffic beside the jitter."""

from __future__ import annotations

import pytest

from experiments.baseline import DAY, JITTER, Baseline, hours
from lab import catalog
from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from tests.unit.experiments.helpers import endpoints, grid, text

TOPOLOGY = catalog.topology("full_mesh")


def pinged(count: int, missing: range = range(0)) -> str:
    """Output of ping: an answer a second, each a hundredth of a ms slower than the one before."""
    lines = (
        f"[{1000 + n + 0.03:.6f}] 64 bytes from 192.0.2.1: icmp_seq={n + 1} ttl=64 time={30 + n / 100:.2f} ms"
        for n in range(count)
        if n not in missing
    )
    return "\n".join(lines)


def test_a_day_is_divided_into_24_parts_and_the_most_that_two_are_apart_is_found() -> None:
    found = hours(pinged(240))
    assert found["mean_ms"] == pytest.approx(31.195)
    assert found["apart_ms"] == pytest.approx(2.3, abs=0.06)


def test_an_hour_without_an_answer_is_a_failure() -> None:
    with pytest.raises(MeasureError, match="no answer in part 3 of 24"):
        hours(pinged(240, missing=range(15, 40)))
    with pytest.raises(MeasureError, match="no answers to divide"):
        hours("")


def test_both_links_of_2016_are_measured() -> None:
    cells = grid(Baseline())
    assert {(c.metric, c.params["from"], c.params["to"]) for c in cells} == {
        (metric, *ends) for metric in (DAY, JITTER) for ends in (("AMS", "LJU"), ("BRA", "MIL"))
    }


async def test_a_day_of_paper_has_ten_echoes_an_hour() -> None:
    cell = next(c for c in Baseline().cells(TOPOLOGY, "weave", Baseline.profiles["paper"]) if c.metric == DAY)
    reading = await Baseline().measure(cell, made("ping", pinged(240)))
    assert reading.argv[reading.argv.index("-i") + 1] == "360"
    assert reading.argv[reading.argv.index("-c") + 1] == "240"


def made(program: str, said: str) -> dict[str, Endpoint]:
    return endpoints(TOPOLOGY, {program: said})


async def test_jitter_is_netperfs_beside_three_sessions_of_1_mbit() -> None:
    hosts = made("netperf", text("netperf/udp_rr.txt"))
    cell = next(c for c in grid(Baseline()) if c.metric == JITTER)
    reading = await Baseline().measure(cell, hosts)
    assert set(reading.values) == {"jitter_ms", "mean_ms"}
    asked = [argv for argv in hosts["AMS"].host.ran if "iperf3" in argv]  # type: ignore[attr-defined]
    (beside,) = asked
    assert beside[beside.index("-P") + 1] == "3"
    assert beside[beside.index("-b") + 1] == "1M"
