"""Topologies by name and parameters; the shipped ones are what their sources say."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest

from lab import catalog, plugins
from lab.errors import TopologyError, UnknownName
from tests.paths import FIXTURES, ROOT

SHIPPED = ("four_pairs", "full_mesh", "grid", "linear", "point_to_point", "random", "ring", "star", "tree")


def test_every_shipped_topology_is_found_and_says_what_it_shows_and_from_where() -> None:
    assert plugins.own_names("topologies") == SHIPPED
    for name in SHIPPED:
        said = sys.modules[plugins.load("topologies", name).__module__].__doc__ or ""
        assert catalog.topology(name).name == name
        assert "Source:" in said or "Waxman" in said


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_topology_has_a_page_with_a_picture(name: str) -> None:
    docs = ROOT / "docs" / "topologies"

    assert f"[{name}]({name}.md)" in (docs / "README.md").read_text()
    assert f"(figures/{name}.svg)" in (docs / f"{name}.md").read_text()
    assert (docs / "figures" / f"{name}.svg").is_file()


def test_an_unknown_name_has_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="unknown topology 'lineer'; did you mean 'linear'"):
        catalog.topology("lineer")


def test_parameters_are_typed_by_the_function_that_takes_them() -> None:
    assert len(catalog.topology("tree:branches=3,height=1").hosts) == 4
    assert [h.site for h in catalog.topology("linear:sites=AMS+brA+MIL,rate=20").hosts] == [
        "AMS",
        "BRA",
        "MIL",
    ]
    assert catalog.topology("linear:rate=20").links[0].rate == 20
    assert catalog.topology("star:rate=").links[0].rate is None
    assert catalog.topology("random:hosts=5", seed=3) == catalog.topology("random", hosts=5, seed=3)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("random:hots=3", "unknown parameter of topology random 'hots'; did you mean 'hosts'?"),
        ("random:hosts=many", "hosts of topology random must be a whole number, not 'many'"),
        ("linear:rate=fast", "rate of topology linear must be a number, not 'fast'"),
        ("linear:sites=AMS", "the number of sites in a chain must be at least 2, not 1"),
        ("ring:sites=AMS+PRG", "the number of sites in a ring must be at least 3, not 2"),
        ("tree:height=0", "height of a tree must be at least 1, not 0"),
        ("random:hosts=1", "the number of hosts (waxman) must be at least 2, not 1"),
        ("random:model=waxmann", "unknown model of random graphs 'waxmann'; did you mean 'waxman'?"),
        ("random:beta=2", "a random graph needs alpha above 0, beta from 0 to 1 and degree from 0 to 200"),
        (
            "random:model=erdos_renyi,degree=inf",
            "a random graph needs alpha above 0, beta from 0 to 1 and degree from 0 to 200",
        ),
        ("random:alpha=nan", "a random graph needs alpha above 0, beta from 0 to 1 and degree from 0 to 200"),
        ("random:hosts=100000000", "the number of hosts (waxman) must be at most 3,000, not 100,000,000"),
        (
            "random:hosts=10001,model=erdos_renyi",
            "the number of hosts (erdos_renyi) must be at most 10,000, not 10,001",
        ),
        ("grid:rows=10000,columns=10000", "the number of hosts must be at most 10,000, not 100,000,000"),
        (
            "tree:branches=9999,height=9999",
            "a tree of 9999 branches and height 9999 has more than 10,000 hosts",
        ),
        ("tree:height=99999999999", "height of a tree must be at most 10,000, not 99,999,999,999"),
    ],
)
def test_parameters_that_make_no_topology(spec: str, said: str) -> None:
    with pytest.raises((TopologyError, UnknownName)) as caught:
        catalog.topology(spec)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        ("random", "0b334658208f957d"),
        ("random:hosts=40,model=erdos_renyi,seed=3", "5a7a92a44f16737c"),
        ("random:hosts=30,seed=9", "8d23c88c23f65f7b"),
    ],
)
def test_a_seed_gives_the_same_graph_on_every_machine(spec: str, digest: str) -> None:
    """Written down once; whoever gets another one has found a machine or a Python that differs."""
    data = json.dumps(catalog.topology(spec).to_dict(), sort_keys=True)

    assert hashlib.sha256(data.encode()).hexdigest()[:16] == digest


def test_the_four_pairs_do_not_touch_and_say_so() -> None:
    pairs = catalog.topology("four_pairs")

    assert pairs.separate_parts
    assert [(link.a, link.b) for link in pairs.links] == [
        ("vmAMS", "vmBRA"),
        ("libAMS", "libBRA"),
        ("weaveAMS", "weaveBRA"),
        ("flanAMS", "flanBRA"),
    ]


def test_mesh_and_star_have_the_round_trips_of_the_study_that_measured_them() -> None:
    mesh, star = catalog.topology("full_mesh"), catalog.topology("star")

    assert len(mesh.links) == 10
    assert (mesh.link("BRA", "LJU").rtt, mesh.link("AMS", "PRG").rtt) == (44.7, 21.75)
    # a circuit is what they measured, even where another way is faster
    assert mesh.path("LJU", "MIL") == ("LJU", "MIL")
    assert mesh.rtt("LJU", "MIL") == 59.23 > mesh.rtt("LJU", "BRA") + mesh.rtt("BRA", "MIL")
    assert [(link.rtt, link.rate) for link in star.links] == [(17.7, 10.0), (13.0, 10.0), (44.7, 10.0)]


@pytest.mark.parametrize("given", [{"places": {"OSL": (59.91, 10.75)}}, {"largest_component": True}])
def test_what_is_for_files_is_refused_with_a_name(given: dict[str, object]) -> None:
    """It was taken and forgotten, and a list of sites given by that name with it."""
    with pytest.raises(TopologyError, match="--site and --largest-component are for files"):
        catalog.topology("linear", **given)
    assert [host.site for host in catalog.topology("linear", sites=["BRA", "MIL"]).hosts] == ["BRA", "MIL"]


def test_switches_are_refused_unless_they_are_asked_for() -> None:
    document = FIXTURES / "dsl" / "switches.dsl"

    with pytest.raises(TopologyError, match=r"has OpenFlow switches \(ofxAMS, vsi_PRG\)"):
        catalog.topology(document)
    assert len(catalog.topology(document, switches=True).hosts) == 4
