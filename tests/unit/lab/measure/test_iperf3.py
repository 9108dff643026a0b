"""iperf3 3.12: its real reports, whole and broken (tests/fixtures/iperf3)."""

from __future__ import annotations

import json

import pytest

from lab.errors import MeasureError
from lab.measure import iperf3
from tests.paths import FIXTURES

OUTPUTS = FIXTURES / "iperf3"


def output(name: str) -> str:
    return (OUTPUTS / name).read_text()


def test_tcp_has_both_ends_and_retransmissions() -> None:
    report = json.loads(output("tcp.json"))["end"]
    values = iperf3.parse_tcp(output("tcp.json"))
    assert values["sent_mbps"] == report["sum_sent"]["bits_per_second"] / 1e6
    assert values["received_mbps"] == report["sum_received"]["bits_per_second"] / 1e6
    assert values["retransmits"] == report["sum_sent"]["retransmits"]
    assert values["mean_rtt_ms"] == report["streams"][0]["sender"]["mean_rtt"] / 1000
    assert 10 < values["received_mbps"] < 20.5, "recorded over a link of 20 Mbit/s"


def test_tcp_that_arrived_is_told_by_the_receivers_own_seconds() -> None:
    report = json.loads(output("tcp-omit.json"))
    rows = [row["streams"][0] for row in report["server_output_json"]["intervals"]]
    own = [row for row in rows if not row["omitted"]]
    assert len(own) < len(rows)
    rate = sum(row["bytes"] for row in own) * 8e-6 / own[-1]["end"]
    assert iperf3.parse_tcp(json.dumps(report))["received_mbps"] == pytest.approx(rate)
    # what came in a lump after the end is in the sum, and not in these
    report["end"]["sum_received"]["bits_per_second"] *= 1.5
    assert iperf3.parse_tcp(json.dumps(report))["received_mbps"] == pytest.approx(rate)


def test_a_second_to_which_iperf3_gives_the_omitted_one_too_counts_once() -> None:
    # given a report in which the omitted time ended 0.01 ms before a second: seen in virtual time
    report = json.loads(output("tcp-omit.json"))
    own = [row["streams"][0] for row in report["server_output_json"]["intervals"][1:]]
    own[0].update(start=0.999989, end=1.000051, seconds=2.00004, bytes=119503440)
    own[1].update(start=1.000051, end=2.000052, seconds=1.0, bytes=119568600)
    # then it is a second with the bytes of a second
    assert iperf3.parse_tcp(json.dumps(report))["received_mbps"] == pytest.approx(956.3, abs=0.1)


@pytest.mark.parametrize(
    ("name", "traffic"),
    [
        ("congestion-unknown.json", False),
        ("window-refused.json", False),
        ("server-busy.json", False),
        ("server-reset.json", False),
        ("server-killed.json", True),
        ("unreachable.json", True),
    ],
)
def test_an_option_that_a_host_refuses_is_no_collapse_of_traffic(name: str, traffic: bool) -> None:
    with pytest.raises(MeasureError) as error:
        iperf3.parse_tcp(output(name))
    assert error.value.traffic == traffic


def test_udp_has_what_was_sent_and_what_arrived() -> None:
    report = json.loads(output("udp.json"))["end"]
    values = iperf3.parse_udp(output("udp.json"))
    assert values["sent_mbps"] == report["sum_sent"]["bits_per_second"] / 1e6
    assert values["received_mbps"] == pytest.approx(report["sum_received"]["bits_per_second"] / 1e6)
    assert values["received_mbps"] != report["sum"]["bits_per_second"] / 1e6
    assert set(values) == {"sent_mbps", "received_mbps", "lost_percent", "jitter_ms", "datagram_bytes"}


def test_what_arrived_is_told_by_the_receivers_whole_seconds() -> None:
    # given a report over five hops: 10 Mbit/s were full all the time, and 0.25 s passed at the end
    report = json.loads(output("udp-omit.json"))
    whole = report["server_output_json"]["intervals"][1]["streams"][0]
    assert report["end"]["sum_received"]["lost_percent"] > 190, "losses of the omitted second are in it"
    # then rate and losses are those of the second that counts
    values = iperf3.parse_udp(json.dumps(report))
    assert values["received_mbps"] == pytest.approx(whole["bytes"] * 8e-6 / whole["end"])
    assert values["lost_percent"] == pytest.approx(whole["lost_percent"])
    # and a second that did not end in time is better than the sum, which has more that does not count
    whole["end"] = 1.2
    values = iperf3.parse_udp(json.dumps(report))
    assert values["received_mbps"] == pytest.approx(whole["bytes"] * 8e-6 / 1.2)


@pytest.mark.parametrize("size", [1470, 8192])
def test_the_size_of_datagrams_is_read_back(size: int) -> None:
    assert iperf3.parse_udp(output(f"udp-{size}.json"))["datagram_bytes"] == size
    assert iperf3.udp_argv("192.0.2.1", 2, datagram=size)[-2:] == ["-l", str(size)]


def test_where_no_datagram_arrives_all_are_lost_and_nothing_has_jitter() -> None:
    report = json.loads(output("udp.json"))
    report["end"]["sum_received"] |= {"packets": 0, "bytes": 0, "lost_packets": 0, "jitter_ms": 0}
    values = iperf3.parse_udp(json.dumps(report))
    assert values["received_mbps"] == 0
    assert values["lost_percent"] == 100
    assert "jitter_ms" not in values
    assert values["sent_mbps"] > 0


def test_a_warning_in_the_report_is_named() -> None:
    said = "warning: UDP block size 8192 exceeds TCP MSS 1398, may result in fragmentation / drops"
    with pytest.raises(MeasureError, match="printed 'warning: UDP block size 8192 exceeds"):
        iperf3.parse_udp(f"{said}\n{output('udp-8192.json')}")


def test_a_window_and_a_congestion_control_are_asked_for_and_seen() -> None:
    argv = iperf3.tcp_argv("192.0.2.1", 2, 1, window=64000, congestion="reno")
    assert argv[-7:] == ["-O", "1", "--get-server-output", "-w", "64000", "-C", "reno"]
    assert iperf3.facts(output("reno.json"))["sender_tcp_congestion"] == "reno"
    assert iperf3.parse_tcp(output("window.json"))["received_mbps"] > 0


def test_congestion_control_and_version_are_facts() -> None:
    assert iperf3.facts(output("tcp.json")) == {
        "version": "iperf 3.12",
        "sender_tcp_congestion": "bbr",
        "receiver_tcp_congestion": "bbr",
    }
    assert iperf3.facts(output("udp.json")) == {"version": "iperf 3.12"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("server-absent.json", "unable to connect to server: Connection refused"),
        ("unreachable.json", "unable to connect to server: Connection timed out"),
        ("server-busy.json", "the server is busy running a test"),
        ("server-killed.json", "control socket has closed unexpectedly"),
        ("client-killed.json", "interrupt - the client has terminated"),
        ("client-kill9.json", "no whole JSON report"),
        ("truncated.json", "no whole JSON report"),
        ("window-refused.json", "socket buffer size not set correctly"),
        ("congestion-unknown.json", "congestion control algorithm not supported on this host"),
    ],
)
def test_a_failed_run_is_an_error_with_its_text_and_never_a_zero(name: str, said: str) -> None:
    """iperf3 -J exits with status 0 in most of these."""
    for parse in (iperf3.parse_tcp, iperf3.parse_udp):
        with pytest.raises(MeasureError, match=said) as caught:
            parse(output(name))
        assert caught.value.raw == output(name)


def test_words_in_place_of_a_report_are_quoted() -> None:
    said = "Error response from daemon: Container 0123abc is not running"
    with pytest.raises(MeasureError, match=f"printed no JSON report, but '{said}'"):
        iperf3.parse_udp(said + "\n")


@pytest.mark.parametrize("cut", range(0, 3800, 97))
def test_wherever_a_report_breaks_off_it_is_no_measurement(cut: int) -> None:
    with pytest.raises(MeasureError):
        iperf3.parse_tcp(output("tcp.json").rstrip()[:cut])


def test_the_wrong_kind_of_test_is_refused() -> None:
    with pytest.raises(MeasureError, match="ran a UDP test where TCP was asked"):
        iperf3.parse_tcp(output("udp.json"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["end"].pop("sum_received"), "left 'sum_received.bits_per_second' out"),
        (lambda r: r["end"]["sum_sent"].update(bits_per_second="fast"), "'fast' .* is no number"),
        (lambda r: r["end"]["sum_sent"].update(bits_per_second=None), "None .* is no number"),
        (lambda r: r.update(end={}), "without its closing figures"),
    ],
)
def test_a_report_that_lacks_something_says_what(change, said) -> None:  # type: ignore[no-untyped-def]
    report = json.loads(output("tcp.json"))
    change(report)
    with pytest.raises(MeasureError, match=said):
        iperf3.parse_tcp(json.dumps(report))


def test_argv() -> None:
    common = ["iperf3", "-c", "10.0.0.1", "-J", "-t", "2", "--connect-timeout", "5000"]
    assert iperf3.tcp_argv("10.0.0.1", 2, 2) == [*common, "-O", "2", "--get-server-output"]
    assert "-O" not in iperf3.tcp_argv("10.0.0.1", 120)
    receiver = ["--get-server-output", "-u", "-b", "1000M"]
    assert iperf3.udp_argv("10.0.0.1", 2) == [*common, *receiver]
    assert iperf3.udp_argv("10.0.0.1", 2, 1) == [*common, "-O", "1", *receiver]
