"""Writing GTS DSL documents."""

from __future__ import annotations

import re
import subprocess
import sys

import networkx as nx
import pytest

from lab import catalog, dsl
from lab.dsl import gts_rules, sidecar
from lab.dsl.from_topology import to_document
from lab.errors import DslError, TopologyError
from lab.topology import Topology
from tests.paths import FIXTURES

FIXTURES = FIXTURES / "dsl"


def tokens(text: str) -> list[str]:
    return re.findall(r'"[^"]*"|[\w-]+|[{}=.,]', text)


def two_hosts(**link: object) -> Topology:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS")
    graph.add_node("b", site="BRA")
    graph.add_edge("a", "b", **link)
    return Topology(graph, name="two")


@pytest.mark.parametrize(("name", "listing"), [("linear", "chain"), ("four_pairs", "four_pairs")])
def test_word_for_word_as_in_appendix_a(name: str, listing: str) -> None:
    """Only indentation and blanks around one `=` differ from the thesis's listings."""
    text = dsl.export(catalog.topology(name))

    assert tokens(text) == tokens((FIXTURES / f"appendix_a_{listing}.dsl").read_text())


@pytest.mark.parametrize(("name", "listing"), [("linear", "chain"), ("four_pairs", "four_pairs")])
def test_the_appendix_read_with_its_side_file_is_the_topology(name: str, listing: str) -> None:
    topology = catalog.topology(name)

    assert (
        dsl.parse((FIXTURES / f"appendix_a_{listing}.dsl").read_text(), sidecar=sidecar.extract(topology))
        == topology
    )


def test_the_layout_of_a_document() -> None:
    assert dsl.export(two_hosts(rate=12.5)) == (
        'two {\n    description=""\n    id="two"\n\n'
        '    host {\n        id="a"\n        location="AMS"\n        port {id="port1"}\n    }\n'
        '    host {\n        id="b"\n        location="BRA"\n        port {id="port1"}\n    }\n\n'
        '    link {\n        id="l1"\n        capacity=12.5\n'
        '        port {id="src"}\n        port {id="dst"}\n    }\n\n'
        "    adjacency a.port1, l1.src\n    adjacency b.port1, l1.dst\n}\n"
    )


def test_the_typed_dialect_says_type_and_needs_no_id() -> None:
    text = dsl.export(two_hosts(), "typed")

    assert text.startswith('type two {\n    description=""\n\n    host {')
    assert dsl.parse(text) == dsl.parse(dsl.export(two_hosts()))


def test_text_is_escaped_as_groovy_reads_it() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS")
    topology = Topology(graph, name="x", description='"$a" \\ é\n😀')

    assert r'description="\"\$a\" \\ \u00e9\n\ud83d\ude00"' in dsl.export(topology)
    assert dsl.parse(dsl.export(topology)).description == topology.description


def test_names_that_are_no_identifier_are_made_one() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS")

    assert dsl.export(Topology(graph, name="my net")).startswith("mynet {")
    assert dsl.export(Topology(graph, name="9 é")).startswith("Topology9 {")


def test_hosts_that_are_named_like_links_do_not_collide_with_them() -> None:
    graph: nx.Graph[str] = nx.path_graph(["l1", "ll1"])
    nx.set_node_attributes(graph, "AMS", "site")

    assert "adjacency l1.port1, lll1.src" in dsl.export(Topology(graph, name="x"))


def test_two_resources_of_one_id_cannot_be_written() -> None:
    graph: nx.Graph[str] = nx.Graph()
    graph.add_node("a", site="AMS", gts={"id": "b"})
    graph.add_node("b", site="AMS")

    with pytest.raises(TopologyError, match="two resources have the id b"):
        dsl.export(Topology(graph, name="x", separate_parts=True))


def test_side_file_holds_what_the_language_cannot() -> None:
    found = sidecar.extract(two_hosts(rtt=10.0, jitter=1.0, loss=0.5, mtu=1400, name="first"))

    assert found == {
        "lab": 1,
        "links": {"l1": {"rtt": 10.0, "name": "first", "jitter": 1.0, "loss": 0.5, "mtu": 1400}},
    }
    assert sidecar.summary(found) == [
        f"{what} of 1 link" for what in ("rtt", "name", "jitter", "loss", "mtu")
    ]


def test_side_file_that_speaks_of_something_else_is_refused() -> None:
    with pytest.raises(DslError, match="speaks of l9, which its document does not have"):
        dsl.parse(dsl.export(two_hosts()), sidecar={"links": {"l9": {"rtt": 3.0}}})


def test_limits_of_the_service_are_named() -> None:
    graph: nx.Graph[str] = nx.Graph(sites={"OSL": (59.91, 10.75)})
    graph.add_node("a_1", site="OSL", gts={"attributes": {"cpuSpeed": 3, "flavorId": "huge", "odd": 1}})
    graph.add_node("b", site="BRA", gts={"ports": ["p"], "port_attributes": {"p": {"lineRate": 1.5}}})
    graph.add_edge("a_1", "b", rate=2500)

    found = {limit.name for limit in gts_rules.limits(to_document(Topology(graph, name="x")))}

    assert found == {"name", "location", "cpuSpeed", "flavorId", "attribute", "lineRate", "capacity"}
    assert not gts_rules.limits(to_document(catalog.topology("four_pairs", rate=None)))[1:]


def test_rate_follows_capacity_then_bandwidth_then_line_rate() -> None:
    assert gts_rules.rate_of({"capacity": "100", "bandwidth": 5}, []) == 100
    assert gts_rules.rate_of({"bandwidth": 5}, [{"lineRate": 1}]) == 5
    assert gts_rules.rate_of({}, [{"lineRate": 2}, {"lineRate": "1"}]) == 1000
    assert gts_rules.rate_of({}, [{}]) is None


def test_export_imports_nothing_heavy() -> None:
    """What keeps `export-dsl` under 0.3 s of CPU: the list of modules, not the clock, is asserted."""
    code = (
        "import sys; sys.argv = ['lab', 'export-dsl'];"
        "from lab.cli.main import run\n"
        "try: run()\nexcept SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "matplotlib",
        "scipy",
        "docker",
        "numpy",
        "lark",
        "yaml",
        "mininet",
        "asyncssh",
        "jinja2",
        "pyroute2",
        "pandas",
        "pydantic",
    }

    assert done.stdout.startswith("WeaveHop {")
    loaded = set(re.findall(r"'(\w+)'", done.stderr.splitlines()[-1]))
    assert "networkx" in loaded
    assert not loaded & heavy
