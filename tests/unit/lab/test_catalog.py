"""Topologies by name and parameters; the shipped ones are what their sources say."""

from __future__ import annotations

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
    docs = ROOT / "docs" / "reference" / "topologies"

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
