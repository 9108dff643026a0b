"""Shipped topologies: parameters that make none, and the figures of the studies."""

from __future__ import annotations

import pytest

from lab import catalog
from lab.errors import TopologyError, UnknownName


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


def test_mesh_and_star_have_the_round_trips_of_the_study_that_measured_them() -> None:
    mesh, star = catalog.topology("full_mesh"), catalog.topology("star")

    assert len(mesh.links) == 10
    assert (mesh.link("BRA", "LJU").rtt, mesh.link("AMS", "PRG").rtt) == (44.7, 21.75)
    # a circuit is what they measured, even where another way is faster
    assert mesh.path("LJU", "MIL") == ("LJU", "MIL")
    assert mesh.rtt("LJU", "MIL") == 59.23 > mesh.rtt("LJU", "BRA") + mesh.rtt("BRA", "MIL")
    assert [(link.rtt, link.rate) for link in star.links] == [(17.7, 10.0), (13.0, 10.0), (44.7, 10.0)]
