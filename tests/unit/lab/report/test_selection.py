"""Groups of samples, and their words."""

from __future__ import annotations

from lab.report.selection import Group, SampleValue, figure, matches, text
from lab.runs.sample import Verdict
from tests.unit.lab.runs.test_run_folder import sample

BOUND = Verdict(state="emulator-bound")


def alone(*values: float, counts: bool = True) -> list[SampleValue]:
    """Values of which each has a bring-up of its own."""
    return [SampleValue(number, value, counts) for number, value in enumerate(values)]


def test_a_group_counts_the_valid_and_marks_the_rest() -> None:
    assert text(Group(alone(21.7, 21.8, 21.9))) == "21.80 ± 0.10 [21.55–22.05]"
    spoilt = [*alone(20.0, 21.0, 22.0), SampleValue(9, 99.0, False)]
    assert text(Group(spoilt), 1) == "21.0 ± 1.0 [18.5–23.5] (3 of 4 valid; all 40.5)"
    assert text(Group(alone(5.0, 6.0, 7.0, counts=False)), 1) == "6.0 ± 1.0 (none of 3 valid)"
    assert text(Group(alone(5.0)), 1) == "5.0"
    assert text(Group()) == "–"


def test_deviations_between_and_within_bring_ups_stand_beside_each_other() -> None:
    values = [
        SampleValue(n, mean + off) for n, mean in ((1, 10.0), (2, 20.0), (3, 30.0)) for off in (-1.0, 1.0)
    ]
    assert text(Group(values), 1) == "20.0 ± 9.9/1.4 [-4.8–44.8]"
    assert text(Group(values[:4]), 1) == "15.0 ± 7.0/1.4"
    assert text(Group(values[:2]), 1) == "10.0 ± 1.4 within"


def test_traffic_that_collapsed_is_a_rate_of_nothing_and_no_latency() -> None:
    values = {"received_mbps": 8.0, "mean_ms": 20.0}
    good = [sample(1, bring_up=n, values=values) for n in (1, 2)]
    gone = sample(1, bring_up=3, outcome="failed", collapsed=True, values={}, error="iperf3: no route")
    assert Group.of([*good, gone], "received_mbps").means == [8.0, 8.0, 0.0]
    assert figure(gone, "mean_kbps AMS") == 0.0
    latency = Group.of([*good, gone], "mean_ms")
    assert (latency.means, latency.lost) == ([20.0, 20.0], 1)
    assert text(latency, 1) == "20.0 ± 0.0 (1 collapsed)"
    assert text(Group.of([gone], "mean_ms")) == "– (1 collapsed)"
    assert matches(gone, gone.metric, "received_mbps", {})


def test_what_the_lab_could_not_measure_is_nothing() -> None:
    failed = sample(1, outcome="failed", error="AMS does not answer", values={}, verdict=BOUND)
    assert text(Group.of([failed], "received_mbps")) == "–"
    assert not matches(failed, failed.metric, "received_mbps", {})
