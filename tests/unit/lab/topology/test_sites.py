"""Sites, published figures and estimates."""

from __future__ import annotations

import pytest

from lab.errors import TopologyError, UnknownName
from lab.published import HERMANS, SEGMENTS, STREAMING, THROUGHPUTS, ZISMER
from lab.topology import sites


def test_every_published_segment_is_there() -> None:
    zismer = [s for s in SEGMENTS if s.study == ZISMER]
    assert [(s.a, s.b, s.rtt) for s in zismer] == [
        ("AMS", "PRG", 21.75),
        ("PRG", "BRA", 4.70),
        ("BRA", "LJU", 41.58),
        ("LJU", "MIL", 52.57),
        ("MIL", "AMS", 40.63),
    ]
    # six circuits, three sets of machines, each with and without containers
    assert len([s for s in SEGMENTS if s.study == HERMANS]) == 36
    assert len(THROUGHPUTS) == 36
    assert len(STREAMING) == 36
    assert {s.a for s in SEGMENTS} | {s.b for s in SEGMENTS} <= set(sites.SITES)


def test_what_the_published_figures_say_as_a_whole() -> None:
    """The ranges that the second study itself gives."""
    machines = [t for t in THROUGHPUTS if t.platform == "vm"]
    containers = [t for t in THROUGHPUTS if t.platform == "docker"]
    assert (min(t.tcp for t in machines), max(t.tcp for t in machines)) == (127.4, 194.2)
    assert (min(t.udp for t in machines), max(t.udp for t in machines)) == (223.3, 278.8)
    assert max(t.tcp for t in containers) == 243.0


def test_the_thesis_comes_before_the_other_study_unless_that_is_asked_for() -> None:
    ljubljana, milan = sites.SITES["LJU"], sites.SITES["MIL"]

    assert sites.round_trip(ljubljana, milan) == sites.PublishedRtt(52.57, ZISMER)
    assert sites.round_trip(milan, ljubljana, HERMANS) == sites.PublishedRtt(59.23, HERMANS)
    assert len(sites.published("mil", "lju")) == 7


def test_without_a_published_figure_it_is_an_estimate() -> None:
    figure = sites.round_trip(sites.SITES["PAR"], sites.SITES["MAD"])

    assert figure.estimated
    assert figure.rtt == 15.0  # 1,053 km by air, 1,500 km of cable at 5 microseconds each, both ways


def test_a_site_of_ones_own_has_no_published_figures_even_under_a_known_name() -> None:
    here = sites.Site("AMS", "elsewhere", 0.0, 0.0)

    assert sites.round_trip(here, sites.SITES["PRG"]).estimated


@pytest.mark.parametrize(
    ("air", "cable"),
    [(0, 0), (500, 750), (999, 1498.5), (1000, 1500), (1200, 1500), (1201, 1501.25), (2000, 2500)],
)
def test_length_of_cables_by_itu_t(air: float, cable: float) -> None:
    assert sites.route_length(air) == cable


def test_great_circle_distances() -> None:
    assert sites.distance(sites.SITES["AMS"], sites.SITES["BRA"]) == pytest.approx(985, abs=5)
    assert sites.distance(sites.SITES["AMS"], sites.SITES["AMS"]) == 0
    pole, other = sites.Site("N", "", 90, 0), sites.Site("S", "", -90, 123)
    assert sites.distance(pole, other) == pytest.approx(20015, abs=1)
    assert sites.estimate(0) == sites.LEAST_RTT


def test_sites_by_name_in_any_case() -> None:
    assert sites.site("ams").city == "Amsterdam"
    with pytest.raises(UnknownName, match="unknown site 'AMX'; did you mean 'AMS'"):
        sites.site("AMX")


def test_a_site_on_the_command_line() -> None:
    assert sites.parse("osl=59.91,10.75") == ("OSL", (59.91, 10.75))


@pytest.mark.parametrize("text", ["OSL", "OSL=1", "OSL=91,0", "OSL=0,181", "O L=1,2", "=1,2", "OSL=1.2.3,4"])
def test_what_is_no_site_on_the_command_line(text: str) -> None:
    with pytest.raises(TopologyError, match="write NAME=LAT,LON"):
        sites.parse(text)


def test_a_site_that_is_given_twice_is_given_once() -> None:
    assert sites.parse_all(["osl=1,2", "OSL=1,2", "X=0,0"]) == {"OSL": (1.0, 2.0), "X": (0.0, 0.0)}
    with pytest.raises(TopologyError, match="site OSL is given twice, at different places; give it once"):
        sites.parse_all(["osl=1,2", "OSL=2,2"])
