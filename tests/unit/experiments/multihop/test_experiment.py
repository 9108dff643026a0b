"""The grid of the multi-hop experiment and its measuring, on endpoints that answer from recordings."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from experiments.multihop.experiment import Multihop
from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.runs.experiment import Profile
from tests.paths import FIXTURES
from tests.unit.fakes import FakeHost
from topologies.four_pairs import topology as four_pairs
from topologies.linear import topology as linear

QUICK, PAPER = Multihop.profiles["quick"], Multihop.profiles["paper"]

OUTPUTS = FIXTURES
RECORDED = {"tcp": "iperf3/tcp.json", "udp": "iperf3/udp.json", "latency": "netperf/udp_rr.txt"}


def cells(metric: str, overlay: str = "weave", profile: Profile = PAPER) -> list[dict[str, object]]:
    grid = Multihop().cells(linear(), overlay, profile)
    return [dict(cell.params) for cell in grid if cell.metric == metric]


def test_every_host_is_reached_from_the_first_one() -> None:
    for metric in ("latency", "tcp", "udp", "udp8192", "udp1470"):
        assert [(c["from"], c["to"], c["hops"]) for c in cells(metric)] == [
            *(("AMS", "PRG", 1), ("AMS", "BRA", 2), ("AMS", "LJU", 3), ("AMS", "MIL", 4), ("AMS", "AMS2", 5)),
        ]


def test_quick_reaches_hosts_over_one_two_and_the_most_hops_and_says_what_it_leaves_out() -> None:
    for metric in ("latency", "tcp", "udp"):
        assert [c["hops"] for c in cells(metric, profile=QUICK)] == [1, 2, 5]
    assert not cells("segment", profile=QUICK)
    assert not cells("udp8192", profile=QUICK) + cells("udp1470", profile=QUICK)
    assert "quick measures over one, two and the most hops" in QUICK.left_out
    assert "UDP in datagrams of 8192 and 1470 bytes" in QUICK.left_out
    assert not PAPER.left_out


def test_every_segment_is_measured_for_the_sum() -> None:
    pairs = [(c["from"], c["to"]) for c in cells("segment")]
    assert pairs == [("AMS", "PRG"), ("PRG", "BRA"), ("BRA", "LJU"), ("LJU", "MIL"), ("MIL", "AMS2")]


def test_keys_are_unique_over_overlays() -> None:
    grid = [c.key for o in ("weave", "underlay") for c in Multihop().cells(linear(), o, QUICK)]
    assert len(grid) == len(set(grid)) == 18


def test_quick_takes_minutes_and_paper_what_it_took_in_2016() -> None:
    quick = Multihop().cells(linear(), "weave", QUICK)
    assert 30 < QUICK.bring_ups * sum(c.repetitions * c.duration for c in quick) <= 120
    assert QUICK.bring_ups >= 3, "enough for an interval"
    paper = Multihop().cells(linear(), "weave", PAPER)
    assert {(PAPER.bring_ups * c.repetitions, c.seconds) for c in paper} == {(20, 120)}
    assert PAPER.rate == 1000
    assert QUICK.why


@pytest.mark.parametrize(("metric", "bytes_"), [("udp8192", "8192"), ("udp1470", "1470")])
async def test_udp_in_datagrams_of_2016_and_of_iperf_2(metric: str, bytes_: str) -> None:
    made = endpoints((OUTPUTS / f"iperf3/udp-{bytes_}.json").read_text())
    cell = next(c for c in Multihop().cells(linear(), "weave", PAPER) if c.metric == metric)
    reading = await Multihop().measure(cell, made)
    assert reading.argv[reading.argv.index("-l") + 1] == bytes_
    assert reading.values["received_mbps"] > 0


def endpoints(stdout: str, status: int = 0) -> dict[str, Endpoint]:
    def answer(argv: Sequence[str]) -> tuple[int, str]:
        return status, stdout

    names = [host.name for host in linear().hosts]
    return {
        name: Endpoint(FakeHost(name, answer), "c", f"192.0.2.{n}")  # type: ignore[arg-type]
        for n, name in enumerate(names, 1)
    }


@pytest.mark.parametrize("metric", ["latency", "segment", "tcp", "udp"])
async def test_a_measurement_and_its_parsing_again_give_the_same(metric: str) -> None:
    raw = (OUTPUTS / RECORDED.get(metric, RECORDED["latency"])).read_text()
    cell = next(c for c in Multihop().cells(linear(), "weave", PAPER) if c.metric == metric)
    reading = await Multihop().measure(cell, endpoints(raw))
    assert reading.raw == raw
    assert reading.values == Multihop().parse(metric, reading.raw)
    assert "192.0.2.2" in reading.argv


async def test_tcp_names_its_congestion_control_and_leaves_its_start_out() -> None:
    raw = (OUTPUTS / RECORDED["tcp"]).read_text()
    cell = next(c for c in Multihop().cells(linear(), "weave", QUICK) if c.metric == "tcp")
    reading = await Multihop().measure(cell, endpoints(raw))
    assert reading.facts["sender_tcp_congestion"] == "bbr"
    assert " ".join(reading.argv).endswith("-O 2 --get-server-output -C cubic")


async def test_a_failure_carries_the_tools_words_and_command() -> None:
    raw = (OUTPUTS / "iperf3/server-absent.json").read_text()
    cell = next(c for c in Multihop().cells(linear(), "weave", QUICK) if c.metric == "udp")
    with pytest.raises(MeasureError, match="Connection refused") as caught:
        await Multihop().measure(cell, endpoints(raw, 1))
    assert caught.value.raw == raw.rstrip() + "\n"
    assert caught.value.argv[0] == "iperf3"


def test_hosts_in_a_part_of_their_own_are_left_out() -> None:
    pairs = four_pairs()
    first = pairs.hosts[0].name
    reached = {c.params["to"] for c in Multihop().cells(pairs, "weave", QUICK) if c.metric == "tcp"}
    assert reached == {pairs.links_of(first)[0].other(first)}
