"""Links whose directions differ, and schedules: read, shown, and kept in every form."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from lab.formats import files, lab_yaml
from lab.formats.files import sidecar_text
from lab.topology import LinkSpec, Topology

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
    there, back = link.impairments("a"), link.impairments("b")

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
    assert two.with_rate(5).link("a", "b").impairments("b").loss == 2.0
    graph = two.graph.copy()
    graph.edges["a", "b"]["from"] = {"a": {"rate": 7.0}}
    assert Topology(graph, name="t").with_rate(5).link("a", "b").impairments("a").rate == 5.0

    from lab import dsl
    from lab.formats import node_link

    (tmp_path / "two.json").write_text(node_link.write(two))
    assert files.read(tmp_path / "two.json") == two
    (tmp_path / "two.dsl").write_text(dsl.export(two))
    (tmp_path / "two.lab.yaml").write_text(sidecar_text(two, "two.dsl"))
    back = files.read(tmp_path / "two.dsl")
    assert (back.links, back.schedule) == (two.links, two.schedule)


def test_what_directions_and_schedules_say_is_shown(two: Topology) -> None:
    from lab.draw import summary

    text = summary.text(two)

    assert "distribution uniform; from a: queue 70000; from b: delay 30.0, loss 2.0, burst 4.0" in text
    assert "a-b from a: loss 5" in text


def test_the_record_of_a_lab_that_is_up_stays_readable() -> None:
    """The fields of a link as the lab has stored them since directions may differ."""
    stored = {"name": "A-B", "number": 1, "a": "A", "b": "B", "rtt": 40.0, "rate": 50.0, "jitter": 1.0}
    stored |= {"loss": 2.0, "mtu": 1500, "subnet": "192.168.1.0/24", "address_a": "192.168.1.1"}
    stored |= {"address_b": "192.168.1.2", "interface_a": "eth1", "interface_b": "eth1"}
    stored |= {"distribution": "uniform", "burst": 4.0, "duplicate": 0.0, "corrupt": 0.0, "reorder": 0.0}
    stored |= {"queue": None, "ways": [["B", [["loss", 3.0], ["delay", 30.0]]]]}

    link = LinkSpec(**stored)

    assert set(asdict(link)) == set(stored)
    assert (link.rate, link.loss, link.mtu) == (50.0, 2.0, 1500)
    assert (link.impairments("A").delay, link.impairments("B").delay) == (10.0, 30.0)
    assert (link.impairments("A").loss, link.impairments("B").loss) == (2.0, 3.0)
    assert json.loads(json.dumps(asdict(link)))["ways"] == [["B", [["delay", 30.0], ["loss", 3.0]]]]
