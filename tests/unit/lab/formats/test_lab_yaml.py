"""Our own YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import catalog
from lab.errors import TopologyError
from lab.formats import lab_yaml
from tests.unit.lab.formats.graphs import YAML, written


def test_our_yaml_says_all_that_a_topology_is(tmp_path: Path) -> None:
    topology = catalog.topology(written(tmp_path, "three.yaml", YAML))

    assert [(h.name, h.site, h.cpus, h.image) for h in topology.hosts] == [
        ("a", "AMS", None, None),
        ("b", "BRA", 2.0, "debian:12"),
        ("c", "OSL", None, None),
    ]
    first, second = topology.links
    assert (first.rtt, first.rate) == (17.7, None)
    assert (second.rtt, second.rate, second.jitter, second.loss, second.mtu) == (20.0, 100.0, 0.5, 0.1, 1400)
    assert topology.link("north") == second


def test_yaml_written_is_yaml_read(tmp_path: Path) -> None:
    for name in ("star", "grid", "four_pairs"):
        topology = catalog.topology(name)
        back = lab_yaml.read(lab_yaml.write(topology), "x")
        assert (back.hosts, back.links, back.separate_parts) == (
            topology.hosts,
            topology.links,
            topology.separate_parts,
        )
    three = lab_yaml.read(YAML, "x")
    assert lab_yaml.read(lab_yaml.write(three), "x") == three


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cpus: 2", "cpu: 2", ["net.yaml:7:18: hosts.b.cpu: not known here; did you mean 'cpus'?"]),
        (
            "rate: 100",
            "rate: -1",
            ["net.yaml:11:32: links.1.rate: input should be greater than or equal to 0.001"],
        ),
        (
            "rate: 100",
            'rate: "100"',
            ["net.yaml:11:32: links.1.rate: write a number of Mbit/s, or one with a unit: 50, 50Mbit, 1Gbit"],
        ),
        (
            "rate: 100",
            "delay: much",
            ["net.yaml:11:32: links.1.delay: write a number of ms, or one with a unit: 10, 10ms, 2s"],
        ),
        (
            "[59.91, 10.75]",
            "[99, 10.75]",
            ["net.yaml:4:9: sites.OSL.0: input should be less than or equal to 90"],
        ),
        ("name: three\n", "", ["net.yaml:1:1: name: is missing"]),
        (
            "  a: AMS",
            "  9a: AMS",
            [
                "net.yaml:6:3: hosts.9a: a name is a letter, then letters, digits, '_' and '-'",
                "net.yaml:10:6: the link a-b ends at 'a', which is no host of this file; did you mean '9a'?",
            ],
        ),
        ("  c: OSL", "  a: OSL", ["net.yaml:8:3: 'a' is given twice"]),
        ("[a, b]", "[a, z]", ["net.yaml:10:6: the link a-z ends at 'z', which is no host of this file"]),
        ("[b, c]", "[b, a]", ["net.yaml:11:6: a second link between b and a; a topology has one at most"]),
        (
            "  c: OSL",
            "  c: OSX",
            ["net.yaml:8:3: host 'c': unknown site 'OSX' (did you mean 'OSL'?)"],
        ),
        ("hosts:", "hosts: [", ["net.yaml:7:4: did not find expected ',' or ']'"]),
    ],
)
def test_what_is_wrong_in_yaml_is_said_with_its_line(old: str, new: str, said: list[str]) -> None:
    with pytest.raises(TopologyError) as caught:
        lab_yaml.read(YAML.replace(old, new), "net.yaml")
    assert str(caught.value).splitlines() == said


FAULTY = """\
name: bad
hosts:
  h1: AMS
  h2:
    site: PRX
  h3: 5
  h4:
links:
  - between: [h1, h2]
    rtt: 10mn
    bw: 100
  - between: [h1, h9]
  - between: [h1, h4]
  - between: [h2, h3]
    rtt: 10ms
    rate: 1Gbit
    jitter: 50ms
schedule:
  - at: 30s
    link: h1-h7
    loss: 5
"""


def test_all_faults_of_a_yaml_file_are_told_at_once_with_line_and_column() -> None:
    with pytest.raises(TopologyError) as caught:
        lab_yaml.read(FAULTY, "bad.yaml")
    assert str(caught.value).splitlines() == [
        "bad.yaml:5:5: host 'h2': unknown site 'PRX' (did you mean 'PRG'?)",
        (
            "bad.yaml:6:3: hosts.h3: write a site, as 'h3: AMS' or 'h3: {site: AMS, cpus: 2}', "
            "or its place, as 'h3: {coordinates: [59.91, 10.75]}'"
        ),
        "bad.yaml:10:5: links.0.rtt: mn is no unit for it; write us, µs, ms, s, or a number alone for ms",
        "bad.yaml:11:5: links.0.bw: not known here; did you mean 'rate'?",
        "bad.yaml:12:5: the link h1-h9 ends at 'h9', which is no host of this file",
        (
            "bad.yaml:13:5: link 'h1'-'h4': it has no rtt, and h4 has no site to estimate it by; "
            "write 'rtt: 10ms', or 'h4: AMS'"
        ),
        "bad.yaml:17:5: link 'h2'-'h3': jitter 50 ms is more than the 5 ms of each direction",
        "bad.yaml:20:5: schedule, change 1: unknown link 'h1-h7' (did you mean 'h1-h4'?)",
    ]
    assert len(caught.value.faults) == 8


def test_a_host_can_have_a_site_or_coordinates_or_nothing_and_values_can_have_units() -> None:
    text = """\
name: places
hosts:
  h1:
  h2: {coordinates: [59.91, 10.75]}
  h3: PRG
  h4: {cpus: 2}
links:
  - {between: [h1, h2], rtt: 10ms, rate: 1Gbit, loss: 1%, jitter: 500us}
  - {between: [h2, h3], rate: 100Mbit/s}
  - {between: [h3, h4], rtt: 1.5 s, from: {h3: {rate: 500 kbit}}}
"""
    topology = lab_yaml.read(text, "places.yaml")
    assert [host.site for host in topology.hosts] == ["", "H2", "PRG", ""]
    assert list(topology.sites) == ["H2", "PRG"]
    assert topology.sites["H2"][2:] == (59.91, 10.75)
    first, second, third = topology.links
    assert (first.rtt, first.rate, first.loss, first.jitter) == (10.0, 1000.0, 1.0, 0.5)
    assert (second.rtt, second.rate) == (15.0, 100.0)
    assert (third.rtt, dict(third.ways)) == (1500.0, {"h3": (("rate", 0.5),)})
    back = lab_yaml.read(lab_yaml.write(topology), "x")
    assert back == topology


@pytest.mark.parametrize(
    "text",
    ["", "5", "[]", "- a", "a: b: c", "\t", "&a [*a]", "name: !!python/object:os.system x", "{" * 2000],
)
def test_what_is_no_topology_in_yaml_is_refused(text: str) -> None:
    with pytest.raises(TopologyError):
        lab_yaml.read(text, "x")
