"""Schedules and traces of links: what is read, and everything that is wrong with them. No root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.errors import TopologyError
from lab.formats import files, lab_yaml
from lab.formats.files import sidecar_text
from lab.topology import Topology, schedule
from lab.topology.schedule import Change

LINKS = {"AMS-PRG": ("AMS", "PRG")}


@pytest.mark.parametrize(
    ("written", "meant"),
    [(30, 30.0), ("30s", 30.0), ("500 ms", 0.5), ("2min", 120.0), ("1.5", 1.5), (0, 0.0)],
)
def test_times_have_units(written: Any, meant: float) -> None:
    assert schedule.seconds(written) == meant


@pytest.mark.parametrize("written", ["soon", "-3s", -1, None, True, float("nan"), "3h"])
def test_what_is_no_time(written: Any) -> None:
    assert schedule.seconds(written) is None


def test_changes_are_in_the_order_of_time() -> None:
    later, first = {"at": "1min", "link": "AMS-PRG", "down": True}, {"at": 30, "link": "AMS-PRG", "loss": 5}

    assert schedule.faults([later, first], LINKS) == []
    assert schedule.read([later, first]) == (
        Change(30.0, "AMS-PRG", values=(("loss", 5),)),
        Change(60.0, "AMS-PRG", "down"),
    )
    assert str(Change(1.0, "AMS-PRG", "set", "AMS", (("loss", 5), ("rate", None)))) == (
        "AMS-PRG from AMS: loss 5, rate none"
    )


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"at": "x", "loss": 1}, "at 'x' is no time, as 30 or '30s' is"),
        ({"link": "AMS-PRK", "loss": 1}, "unknown link 'AMS-PRK' (did you mean 'AMS-PRG'?)"),
        ({"from": "BRA", "loss": 1}, "from 'BRA': that is neither of the hosts of AMS-PRG"),
        ({}, "it must set parameters, or do one of down, up, reset"),
        ({"down": True, "loss": 1}, "it must set parameters, or do one of down, up, reset"),
        ({"down": True, "up": True}, "it must set parameters, or do one of down, up, reset"),
        ({"down": False}, "down is true or absent"),
        ({"down": True, "from": "AMS"}, "down is for a whole link"),
        ({"los": 1}, "unknown attribute 'los' (did you mean 'loss'?)"),
        ({"loss": 101}, "loss 101 percent is not between 0 and 99.9"),
        ({"rtt": -1}, "rtt -1 ms is not between 0 and 10000"),
    ],
)
def test_every_fault_of_a_change_is_told(entry: dict[str, Any], fault: str) -> None:
    assert schedule.faults([{"at": 1, "link": "AMS-PRG", **entry}], LINKS) == [f"schedule, change 1: {fault}"]


def test_a_schedule_may_lose_all_and_take_limits_away() -> None:
    entries = [{"at": 1, "link": "AMS-PRG", "loss": 100, "rate": None, "burst": None}]

    assert schedule.faults(entries, LINKS) == []
    assert schedule.faults("soon", LINKS) == ["the schedule is no list of changes"]


def test_a_trace_is_rows_of_what_was_recorded() -> None:
    rows = schedule.trace("time, delay ,rate,loss\n0,20,50,\n\n0.5,25,,1\n", "x.csv")

    assert rows == [{"at": 0.0, "delay": 20.0, "rate": 50.0}, {"at": 0.5, "delay": 25.0, "loss": 1.0}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "time is missing"),
        ("delay,rate\n1,2\n", "time is missing"),
        ("time,lag\n1,2\n", "lag is unknown"),
        ("time,delay\n1,2\nx,3\n", "x.csv:3: could not convert"),
        ("time,delay\n1,-2\n", "x.csv:2: delay -2 ms is not between 0 and 5000"),
        ("time,delay\n2,2\n1,3\n", "x.csv:3: its time is before that of the row above"),
        ("time,delay\n,3\n", "x.csv:2: its time is no number"),
    ],
)
def test_what_is_no_trace_is_told_by_row(text: str, fault: str) -> None:
    with pytest.raises(TopologyError, match=fault.replace("(", ".")):
        schedule.trace(text, "x.csv")


YAML = """
name: two
hosts: {a: AMS, b: PRG}
links:
  - between: [b, a]
    rtt: 40
    rate: 100
    jitter: 2
    distribution: uniform
    from:
      b: {delay: 30, loss: 2, burst: 4}
      a: {queue: 70000}
schedule:
  - {at: 30s, link: a-b, loss: 5, from: a}
  - {at: 1min, link: a-b, trace: t.csv}
"""


@pytest.fixture
def two(tmp_path: Path) -> Topology:
    (tmp_path / "t.csv").write_text("time,delay,rate,loss\n0,20,50,0\n1,25,40,1\n")
    (tmp_path / "two.yaml").write_text(YAML)
    return files.read(tmp_path / "two.yaml")


def test_directions_differ_by_the_host_that_sends(two: Topology) -> None:
    link = two.link("a", "b")
    there, back = link.way("a"), link.way("b")

    assert (link.rtt, there.delay, back.delay) == (40.0, 10.0, 30.0)
    assert (there.loss, back.loss, back.burst) == (0.0, 2.0, 4.0)
    assert (there.queue, back.queue) == (70000, None)
    assert there.rate == back.rate == 100.0
    assert (there.jitter, back.distribution) == (2.0, "uniform")


def test_a_trace_is_part_of_the_schedule(two: Topology) -> None:
    assert [(c.at, c.sender) for c in two.schedule] == [(30.0, "a"), (60.0, None), (61.0, None)]
    assert dict(two.schedule[2].values) == {"delay": 25.0, "rate": 40.0, "loss": 1.0}


def test_all_of_it_survives_every_form(two: Topology, tmp_path: Path) -> None:
    assert Topology.from_dict(two.to_dict()) == two
    (tmp_path / "again.yaml").write_text(lab_yaml.write(two))
    assert files.read(tmp_path / "again.yaml") == two
    assert two.with_rate(5).link("a", "b").way("b").loss == 2.0
    graph = two.graph.copy()
    graph.edges["a", "b"]["from"] = {"a": {"rate": 7.0}}
    assert Topology(graph, name="t").with_rate(5).link("a", "b").way("a").rate == 5.0

    from lab import dsl
    from lab.formats import node_link

    (tmp_path / "two.json").write_text(node_link.write(two))
    assert files.read(tmp_path / "two.json") == two
    (tmp_path / "two.dsl").write_text(dsl.export(two))
    (tmp_path / "two.lab.yaml").write_text(sidecar_text(two, "two.dsl"))
    back = files.read(tmp_path / "two.dsl")
    assert (back.links, back.schedule) == (two.links, two.schedule)


@pytest.mark.parametrize(
    ("edge", "fault"),
    [
        ({"from": {"c": {"loss": 1}}}, "from 'c': that is neither of its hosts"),
        ({"from": {"a": {"los": 1}}}, "from 'a': unknown attribute 'los' (did you mean 'loss'?)"),
        ({"from": {"a": {"loss": -1}}}, "from 'a': loss -1 percent is not between 0 and 99.9"),
        ({"from": {"a": 5}}, "from 'a': 5 is no mapping of parameters"),
        ({"from": 5}, "from 5 is no mapping of its two hosts to what holds for what they send"),
        ({"rtt": 10, "from": {"a": {"delay": 11}}}, "its delays are more than its round trip of 10 ms"),
        ({"rtt": 10, "burst": 3}, "bursts of 3 packets need a loss"),
        ({"rtt": 0, "reorder": 3}, "packets cannot overtake others without a delay"),
        ({"rtt": 10, "distribution": "x"}, "distribution 'x' is none of normal, uniform, pareto"),
        (
            {"rtt": 10, "from": {"a": {"jitter": 6}}},
            "from 'a': jitter 6 ms is more than the 5 ms of each direction",
        ),
    ],
)
def test_what_a_direction_cannot_be_is_refused(edge: dict[str, Any], fault: str) -> None:
    import networkx as nx

    graph: nx.Graph[Any] = nx.Graph()
    graph.add_node("a", site="AMS")
    graph.add_node("b", site="PRG")
    graph.add_edge("a", "b", **edge)
    with pytest.raises(TopologyError) as told:
        Topology(graph, name="t")
    assert f"link 'a'-'b': {fault}" in str(told.value)
    graph.edges["a", "b"].clear()
    graph.edges["a", "b"].update(delay=7)
    assert Topology(graph, name="t").link("a", "b").rtt == 14.0


def test_what_directions_and_schedules_say_is_shown(two: Topology) -> None:
    from lab.draw import summary

    text = summary.text(two)

    assert "distribution uniform; from a: queue 70000; from b: delay 30.0, loss 2.0, burst 4.0" in text
    assert "a-b from a: loss 5" in text
