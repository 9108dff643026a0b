"""Text of GTS DSL documents."""

from __future__ import annotations

import re
import subprocess
import sys

import networkx as nx
import pytest

from lab import catalog, dsl
from lab.topology import Topology
from tests.unit.lab.dsl.documents import FIXTURES, two_hosts


def tokens(text: str) -> list[str]:
    return re.findall(r'"[^"]*"|[\w-]+|[{}=.,]', text)


@pytest.mark.parametrize(("name", "listing"), [("linear", "chain"), ("four_pairs", "four_pairs")])
def test_word_for_word_as_in_appendix_a(name: str, listing: str) -> None:
    """Only indentation and blanks around one `=` differ from the thesis's listings."""
    text = dsl.export(catalog.topology(name))

    assert tokens(text) == tokens((FIXTURES / f"appendix_a_{listing}.dsl").read_text())


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
