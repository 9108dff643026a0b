"""A random connected graph on the known sites, from a seed: the same on every machine and Python.

Two models. ``waxman`` joins two hosts with the probability `beta` exp(-d / (`alpha` L)), where d
is their great-circle distance and L the largest one (Waxman, *Routing of multipoint
connections*, IEEE JSAC 6(9), 1988): near ones are joined more often, as in real networks.
``erdos_renyi`` draws as many pairs as make the mean number of links per host `degree`, all
pairs alike (Erdős and Rényi, *On random graphs I*, 1959: their G(n, M)). Parts that do not
touch are then joined, each by the shortest link to those before it, so that the result is
connected: a sparse graph has a few links more than the model would give.

Chance comes only from `random.Random(seed).random()`, the one method of Python's generator
whose sequence is guaranteed for all versions. Distances are rounded to 0.1 km before they
are compared. Between two hosts at one site the round trip is that of a local network.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from math import exp

import networkx as nx

from lab.errors import TopologyError, UnknownName
from lab.topology import Topology
from lab.topology import sites as known
from topologies.common import ALL, LARGEST, check_size, place

Pair = tuple[int, int]
Length = Callable[[int, int], float]
MODELS = ("waxman", "erdos_renyi")
#: Hosts; Waxman's model looks at every pair of them.
MOST = {"waxman": 3_000, "erdos_renyi": LARGEST}
#: With it the most hosts have as many links as there are addresses for.
MOST_DEGREE = 200


def topology(
    hosts: int = 8,
    seed: int = 1,
    model: str = "waxman",
    alpha: float = 0.3,
    beta: float = 0.6,
    degree: float = 3.0,
    sites: Sequence[str] = ALL,
    rate: float | None = None,
) -> Topology:
    """A random graph of so many hosts; `alpha` and `beta` are Waxman's, `degree` is Erdős and Rényi's.

    The hosts go through the sites in an order drawn by chance; `rate` is in Mbit/s.
    """
    if model not in MODELS:
        raise UnknownName("model of random graphs", model, MODELS)
    check_size(f"the number of hosts ({model})", hosts, 2, MOST[model])
    if not (alpha > 0 and 0 <= beta <= 1 and 0 <= degree <= MOST_DEGREE):
        raise TopologyError(
            f"a random graph needs alpha above 0, beta from 0 to 1 and degree from 0 to {MOST_DEGREE}"
        )
    chance = random.Random(seed)
    order = [site for _, site in sorted((chance.random(), site) for site in sites)]
    places = [known.site(order[n % len(order)]) for n in range(hosts)] if order else []

    def length(a: int, b: int) -> float:
        return _distance(places[a], places[b])

    shape: nx.Graph[int] = nx.empty_graph(hosts)
    if places:
        drawn = (
            _waxman(hosts, length, alpha, beta, chance)
            if model == "waxman"
            else _pairs(hosts, degree, chance)
        )
        shape.add_edges_from(drawn)
        _join(shape, length)
    graph = place(shape, order, rate)
    about = f"A random graph ({model}) of {hosts} hosts from seed {seed}"
    return Topology(graph, name="random", description=about)


@cache
def _distance(a: known.Site, b: known.Site) -> float:
    return round(known.distance(a, b), 1)


def _waxman(hosts: int, length: Length, alpha: float, beta: float, chance: random.Random) -> Iterator[Pair]:
    longest = max(length(a, b) for a, b in combinations(range(hosts), 2)) or 1.0
    for a, b in combinations(range(hosts), 2):
        if chance.random() < beta * exp(-length(a, b) / (alpha * longest)):
            yield a, b


def _pairs(hosts: int, degree: float, chance: random.Random) -> list[Pair]:
    """As many different pairs as give this mean degree, or all there are."""
    wanted = min(round(hosts * degree / 2), hosts * (hosts - 1) // 2)
    if wanted > hosts * (hosts - 1) // 4:
        ranked = sorted((chance.random(), pair) for pair in combinations(range(hosts), 2))
        return sorted(pair for _, pair in ranked[:wanted])
    found: set[Pair] = set()
    while len(found) < wanted:
        a, b = int(chance.random() * hosts), int(chance.random() * hosts)
        if a != b:
            found.add((min(a, b), max(a, b)))
    return sorted(found)


def _join(shape: nx.Graph[int], length: Length) -> None:
    """Join every part to those before it, by the shortest link there is."""
    parts = sorted(map(sorted, nx.connected_components(shape)))
    joined = list(parts[0])
    for part in parts[1:]:
        _, a, b = min((length(a, b), a, b) for a in joined for b in part)
        shape.add_edge(a, b)
        joined += part
