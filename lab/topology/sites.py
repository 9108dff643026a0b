"""The sites of the testbed, and the round trips between them.

Between two sites the delay is what a study published (`lab.published`), the thesis first;
where there is no published figure it is estimated from the great-circle distance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from math import asin, cos, radians, sin, sqrt
from statistics import fmean
from typing import NamedTuple

from lab.errors import TopologyError, UnknownName
from lab.published import SEGMENTS, ZISMER, Segment

EARTH_RADIUS = 6371.0088  # km, mean radius (IUGG)
FIBRE_DELAY = 0.005  # ms per km one way, ITU-T G.114
LEAST_RTT = 0.1  # ms between two hosts at one site: a local network, not a figure of the studies


class Site(NamedTuple):
    """A place with hosts; coordinates in degrees, north and east positive."""

    name: str
    city: str
    latitude: float
    longitude: float


class PublishedRtt(NamedTuple):
    """A round-trip time in ms and where it is from; `estimated` when no study published it."""

    rtt: float
    source: str
    estimated: bool = False


#: Locations seen in documents for the testbed; coordinates are those of the cities.
SITES: Mapping[str, Site] = {
    site.name: site
    for site in (
        Site("AMS", "Amsterdam", 52.37, 4.90),
        Site("PRG", "Prague", 50.08, 14.44),
        Site("BRA", "Bratislava", 48.15, 17.11),
        Site("LJU", "Ljubljana", 46.05, 14.51),
        Site("MIL", "Milan", 45.46, 9.19),
        Site("CPH", "Copenhagen", 55.68, 12.57),
        Site("HAM", "Hamburg", 53.55, 9.99),
        Site("PAR", "Paris", 48.86, 2.35),
        Site("MAD", "Madrid", 40.42, -3.70),
        Site("LON", "London", 51.51, -0.13),
        Site("ERL", "Erlangen", 49.60, 11.00),
    )
}


def site(name: str, extra: Mapping[str, Site] = SITES) -> Site:
    """Return the site of this name in any case; `extra` sites, by name, come before the known ones.

    Raises:
        UnknownName: there is none.
    """
    found = extra.get(name.upper()) or SITES.get(name.upper())
    if found is None:
        raise UnknownName("site", name, {**SITES, **extra})
    return found


def parse(text: str) -> tuple[str, tuple[float, float]]:
    """Read a site, ``NAME=LAT,LON``: its name and its place in degrees.

    Raises:
        TopologyError: it is not of that form.
    """
    degrees = r"(-?(?:\d+\.?\d*|\.\d+))"
    found = re.fullmatch(rf"([A-Za-z0-9][A-Za-z0-9_-]*)={degrees},{degrees}", text.strip(), re.ASCII)
    place = (float(found[2]), float(found[3])) if found else (91.0, 0.0)
    if not found or abs(place[0]) > 90 or abs(place[1]) > 180:
        raise TopologyError(f"{text!r} is no site; write NAME=LAT,LON in degrees, such as OSL=59.91,10.75")
    return found[1].upper(), place


def parse_all(texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Read several such texts: the places of sites, by name.

    Raises:
        TopologyError: one is not of that form, or two have one name.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, place in map(parse, texts):
        if found.setdefault(name, place) != place:
            raise TopologyError(f"site {name} is given twice, at different places; give it once")
    return found


def published(a: str, b: str) -> tuple[Segment, ...]:
    """Return every published round trip between two sites, in either direction."""
    return tuple(s for s in SEGMENTS if {s.a, s.b} == {a.upper(), b.upper()})


def round_trip(a: Site, b: Site, study: str = ZISMER) -> PublishedRtt:
    """Return the round trip between two sites: published, by `study` if it has one, or else estimated."""
    known = _published(a.name, b.name, study) if SITES.get(a.name) == a and SITES.get(b.name) == b else None
    return known or PublishedRtt(estimate(distance(a, b)), "great-circle estimate", estimated=True)


@cache
def _published(a: str, b: str, study: str) -> PublishedRtt | None:
    """Return the mean between the machines themselves over all instances of one study."""
    rows = [s for s in published(a, b) if s.platform == "vm"]
    rows = [s for s in rows if s.study == study] or rows
    return PublishedRtt(round(fmean(s.rtt for s in rows), 2), rows[0].study) if rows else None


def distance(a: Site, b: Site) -> float:
    """Return the great-circle distance in km by the haversine formula (Sinnott, Sky & Telescope 68, 1984)."""
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    half_lat, half_lon = (lat_b - lat_a) / 2, radians(b.longitude - a.longitude) / 2
    chord = sin(half_lat) ** 2 + cos(lat_a) * cos(lat_b) * sin(half_lon) ** 2
    return 2 * EARTH_RADIUS * asin(min(1.0, sqrt(chord)))


def route_length(great_circle: float) -> float:
    """Return the length in km of the cable between places this far apart (km): ITU-T G.826 and Y.1541.

    1.5 times the distance below 1,000 km, 1.25 times above 1,200 km, 1,500 km between.
    """
    if great_circle < 1000:
        return 1.5 * great_circle
    return max(1500.0, 1.25 * great_circle)


def estimate(great_circle: float) -> float:
    """Return the round-trip time in ms over a great-circle distance in km: twice the route, 5 µs per km.

    Rounded to 0.01 ms, which also hides the last bits in which mathematics libraries differ.
    """
    return max(LEAST_RTT, round(2 * route_length(great_circle) * FIBRE_DELAY, 2))
