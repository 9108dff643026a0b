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
        ("cpus: 2", "cpu: 2", ["net.yaml:7: hosts.b.cpu: not known here"]),
        (
            "rate: 100",
            "rate: -1",
            ["net.yaml:11: links.1.rate: input should be greater than or equal to 0.001"],
        ),
        ("rate: 100", 'rate: "100"', ["net.yaml:11: links.1.rate: input should be a valid number"]),
        (
            "[59.91, 10.75]",
            "[99, 10.75]",
            ["net.yaml:4: sites.OSL.0: input should be less than or equal to 90"],
        ),
        ("name: three\n", "", ["net.yaml:1: name: is missing"]),
        (
            "  a: AMS",
            "  9a: AMS",
            ["net.yaml:6: hosts.9a: a name is a letter, then letters, digits, '_' and '-'"],
        ),
        ("  c: OSL", "  a: OSL", ["net.yaml:8:3: 'a' is given twice"]),
        ("[a, b]", "[a, z]", ["net.yaml: the link a-z ends at 'z', which is no host of this file"]),
        ("[b, c]", "[b, a]", ["net.yaml: a second link between b and a; a topology has one at most"]),
        (
            "  c: OSL",
            "  c: OSX",
            ["topology 'three' is not valid: host 'c': unknown site 'OSX' (did you mean 'OSL'?)"],
        ),
        ("hosts:", "hosts: [", ["net.yaml:7:4: did not find expected ',' or ']'"]),
    ],
)
def test_what_is_wrong_in_yaml_is_said_with_its_line(old: str, new: str, said: list[str]) -> None:
    with pytest.raises(TopologyError) as caught:
        lab_yaml.read(YAML.replace(old, new), "net.yaml")
    assert str(caught.value).splitlines() == said


def test_all_faults_of_a_yaml_file_are_told_at_once() -> None:
    with pytest.raises(TopologyError) as caught:
        lab_yaml.read(YAML.replace("cpus: 2", "cpu: 2").replace("loss: 0.1", "loss: 101"), "x")
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "text",
    ["", "5", "[]", "- a", "a: b: c", "\t", "&a [*a]", "name: !!python/object:os.system x", "{" * 2000],
)
def test_what_is_no_topology_in_yaml_is_refused(text: str) -> None:
    with pytest.raises(TopologyError):
        lab_yaml.read(text, "x")
