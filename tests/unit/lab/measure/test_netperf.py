"""netperf 2.7.0: its real output, whole and broken (tests/fixtures/netperf)."""

from __future__ import annotations

import pytest

from lab.errors import MeasureError
from lab.measure import netperf
from tests.paths import FIXTURES

OUTPUTS = FIXTURES / "netperf"


def output(name: str) -> str:
    return (OUTPUTS / name).read_text()


def test_times_are_round_trips_in_ms() -> None:
    assert "MEAN_LATENCY=22.72" in output("udp_rr.txt"), "netperf counts in µs"
    values = netperf.parse_latency(output("udp_rr.txt"))
    assert values["mean_ms"] == pytest.approx(0.02272)
    assert values["min_ms"] == 0.013
    assert values["max_ms"] == 17.198
    assert values["transactions_per_s"] == 43901.468
    assert set(values) == set(netperf.OUTPUT.values())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("server-absent.txt", "could not establish the control connection"),
        ("server-killed.txt", "the end of its output: "),
        ("client-killed.txt", "the end of its output: nothing"),
        ("link-lost.txt", "remote error 101"),
        ("no-transaction.txt", "got not one answer"),
        ("datagram-lost.txt", "lost a datagram and measured nothing in the last 17"),
    ],
)
def test_a_failed_run_is_an_error_with_its_text_and_never_a_zero(name: str, said: str) -> None:
    """netperf exits with status 0 and prints zeros in the last two."""
    with pytest.raises(MeasureError, match=said) as caught:
        netperf.parse_latency(output(name))
    assert caught.value.raw == output(name)


@pytest.mark.parametrize("cut", range(0, 280, 11))
def test_wherever_the_output_breaks_off_it_is_no_measurement(cut: int) -> None:
    with pytest.raises(MeasureError):
        netperf.parse_latency(output("udp_rr.txt")[:cut])


@pytest.mark.parametrize("value", ["", "nan", "inf", "-3", "21,75"])
def test_what_is_no_time_is_refused(value: str) -> None:
    text = output("udp_rr.txt").replace("MEAN_LATENCY=22.72", f"MEAN_LATENCY={value}")
    with pytest.raises(MeasureError, match="mean_latency"):
        netperf.parse_latency(text)


def test_a_transaction_cut_off_by_the_end_is_no_lost_datagram() -> None:
    """Over 161 ms, a test of one second ends in its seventh transaction."""
    text = (
        "MIN_LATENCY=161100\nMEAN_LATENCY=161230.00\nP50_LATENCY=161230\nP99_LATENCY=161400\n"
        "MAX_LATENCY=161400\nSTDDEV_LATENCY=80.00\nTRANSACTION_RATE=6.000\nELAPSED_TIME=1.00\n"
    )
    assert netperf.parse_latency(text)["mean_ms"] == 161.23


def test_argv() -> None:
    argv = netperf.latency_argv("10.0.0.1", 1)
    assert argv[:7] == ["netperf", "-l", "1", "-H", "10.0.0.1", "-t", "UDP_RR"]
    assert argv[7:9] == ["--", "-k"]
    assert argv[9].split(",") == list(netperf.OUTPUT)
