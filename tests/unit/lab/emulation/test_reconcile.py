"""The changes between a lab that runs and the topology that is wanted of it: that, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import networkx as nx
import pytest

from lab.emulation.links.link import LinkState, Wiring
from lab.emulation.reconcile import Difference, Reshaping, difference
from lab.topology import Topology
from topologies import ring

RUNNING = ring.topology().with_rate(100.0).pinned()


def changed(**edit: Any) -> nx.Graph[Any]:
    return nx.Graph(ring.topology().with_rate(100.0).graph, **edit)


def compare(
    graph: nx.Graph[Any], *, alive: set[str] | None = None, states: dict[str, LinkState] | None = None
) -> Difference:
    asked = {link.name: Wiring(link, 0, 0).state for link in RUNNING.links}
    return difference(
        RUNNING,
        Topology(graph, name="wanted"),
        links=RUNNING.links,
        states={**asked, **(states or {})},
        alive=alive if alive is not None else {host.name for host in RUNNING.hosts},
    )


def test_the_same_topology_changes_nothing() -> None:
    change = compare(changed())
    assert not change
    assert change.summary() == []


def test_a_new_host_brings_its_links_and_touches_no_other() -> None:
    graph = changed()
    graph.add_node("NEW", site="AMS")
    graph.add_edge("NEW", "AMS", rtt=3.0)
    change = compare(graph)
    assert [host.name for host in change.hosts_added] == ["NEW"]
    assert [link.name for link in change.links_added] == ["AMS-NEW"]
    assert (change.hosts_removed, change.links_removed, change.reshaped) == ((), (), ())
    assert change.summary() == ["+ host NEW (AMS)", "+ link AMS-NEW (3 ms)"]


def test_a_host_that_goes_takes_its_links_along() -> None:
    graph = changed()
    graph.remove_node("PRG")
    change = compare(graph)
    assert change.hosts_removed == ("PRG",)
    assert {link.name for link in change.links_removed} == {
        link.name for link in RUNNING.links if "PRG" in (link.a, link.b)
    }
    assert change.links_added == ()


def test_another_round_trip_is_a_change_of_the_running_link() -> None:
    graph = changed()
    link = RUNNING.links[0]
    graph.edges[link.a, link.b]["rtt"] = 10.0
    (one,) = compare(graph).reshaped
    assert one.link == link.name
    assert one.values == {"ab": {"delay": 5.0}, "ba": {"delay": 5.0}}


def test_a_link_that_was_changed_by_hand_is_brought_back() -> None:
    link = RUNNING.links[0]
    line = Wiring(link, 0, 0).state
    by_hand = replace(line, ab=replace(line.ab, loss=5.0))
    (one,) = compare(changed(), states={link.name: by_hand}).reshaped
    assert one.values == {"ab": {"loss": 0.0}}


def test_another_mtu_makes_a_link_anew_in_its_old_place() -> None:
    graph = changed()
    link = RUNNING.links[0]
    graph.edges[link.a, link.b]["mtu"] = 9000
    change = compare(graph)
    assert [one.name for one in change.links_removed] == [link.name]
    (come,) = change.links_added
    assert (come.mtu, come.number, come.subnet) == (9000, link.number, link.subnet)
    assert change.summary() == [f"~ link {link.name} ({link.rtt:g} ms, 100 Mbit/s): made anew"]


def test_a_host_that_died_is_made_anew_with_its_links() -> None:
    names = {host.name for host in RUNNING.hosts}
    change = compare(changed(), alive=names - {"PRG"})
    assert change.hosts_removed == ("PRG",)
    assert [(h.name, h.number) for h in change.hosts_added] == [("PRG", RUNNING.host("PRG").number)]
    assert {link.name for link in change.links_removed} == {link.name for link in change.links_added}
    assert "~ host PRG (PRG): made anew" in change.summary()


@pytest.mark.parametrize("cpus", [0.5, 2.0])
def test_cpus_change_while_the_host_runs(cpus: float) -> None:
    graph = changed()
    graph.nodes["AMS"]["cpus"] = cpus
    change = compare(graph)
    assert change.cpus == {"AMS": cpus}
    assert change.hosts_added == ()


def test_a_link_that_is_down_comes_up_again_and_each_direction_is_told_by_itself() -> None:
    link = RUNNING.links[0]
    line = replace(Wiring(link, 0, 0).state, down=True)
    change = compare(changed(), states={link.name: replace(line, ab=replace(line.ab, loss=5.0, rate=None))})
    assert change.links_up == (link.name,)
    assert change.summary() == [
        f"~ link {link.name}: up again",
        f"~ link {link.name} (ab): rate=100, loss=0",
    ]


def test_both_directions_are_told_as_one_where_they_get_the_same() -> None:
    link = RUNNING.links[0]
    line = Wiring(link, 0, 0).state
    same = line.changed(("ab", "ba"), loss=5.0)
    assert compare(changed(), states={link.name: same}).summary() == [f"~ link {link.name}: loss=0 each way"]
    other = same.changed(("ba",), jitter=1.0)
    summary = compare(changed(), states={link.name: other}).summary()
    assert summary == [f"~ link {link.name} (ab): loss=0", f"~ link {link.name} (ba): jitter=0, loss=0"]


def test_a_share_of_the_processors_that_is_taken_back_is_told() -> None:
    change = Difference(RUNNING, cpus={"AMS": None, "PRG": 0.5})
    assert change.summary() == ["~ host AMS: cpus=all", "~ host PRG: cpus=0.5"]
    assert change


def test_a_host_of_another_site_is_another_host_and_a_link_of_it_as_well() -> None:
    graph = changed()
    graph.nodes["PRG"]["site"] = "CPH"
    change = compare(graph)
    assert change.hosts_removed == ("PRG",)
    assert [host.site for host in change.hosts_added] == ["CPH"]


def test_a_change_of_links_names_values_and_those_that_are_none() -> None:
    values = {"ab": {"rate": None, "burst": None, "distribution": "pareto", "loss": 2.50}}
    change = Difference(RUNNING, reshaped=(Reshaping("x", values),))
    assert change.summary() == ["~ link x (ab): rate=none, burst=none, distribution=pareto, loss=2.5"]
