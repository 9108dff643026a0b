"""Names and numbers of hosts and links that come from a document."""

from __future__ import annotations

from collections import Counter

from lab import dsl
from lab.dsl import to_topology
from tests.unit.lab.dsl.documents import HOST


def test_hosts_and_links_are_numbered_by_their_ids_whatever_their_order() -> None:
    hosts = [HOST.format(name) for name in ("h10", "h2", "h1")]
    text = f"Net {{ {' '.join(hosts)} }}"

    assert [host.name for host in dsl.parse(text).hosts] == ["h1", "h2", "h10"]


def test_an_id_that_no_host_can_have_as_a_name_is_kept_apart_from_it() -> None:
    hosts = (f'host {{ id="{name}" location="AMS" }}' for name in ("$1st", "9", "st"))
    text = f"Net {{ {' '.join(hosts)} }}"

    topology = dsl.parse(text)

    assert [host.name for host in topology.hosts] == ["host", "st-2", "st"]
    assert r'id="\$1st"' in dsl.export(topology)


def test_names_for_many_hosts_are_made_in_one_pass() -> None:
    """Each name was once sought from the first number on, for minutes in a document of numbers."""
    ids = [str(n) for n in range(1, 301)]
    looks = Counter[str]()

    class Taken(set[str]):
        def __contains__(self, name: object) -> bool:
            looks.update(["look"])
            return super().__contains__(name)

    taken, made = Taken(), Counter[str]()
    for each in ids:
        taken.add(to_topology._free(each, taken, made))

    assert taken == {"host", *(f"host-{n}" for n in range(2, 301))}
    assert looks["look"] == 300
