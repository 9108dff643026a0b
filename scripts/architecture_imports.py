"""The house, read from its imports: rooms, floors and circles.

A room is a folder of `lab/` (or a module beside them), or one of the packages of plug-ins. The table `FLOORS`
is the plan; imports run from a floor to a lower one and nowhere else. tests/unit/test_architecture.py asserts
it with the functions below, which take any root, so that the tests can plant faults.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("lab", "overlays", "experiments", "topologies")

#: Every room with what it is, floor by floor from the top. A room may import rooms of lower floors only.
FLOORS: tuple[dict[str, str], ...] = (
    {"lab": "python -m lab"},
    {"lab.cli": "verbs, printing", "lab.api": "Lab, in Python"},
    {"lab.spread": "runs over machines"},
    {"lab.app": "use cases", "lab.view": "a page, served or saved"},
    {"lab.feed": "events and counts, as a stream"},
    {
        "lab.doctor": "checks this machine",
        "lab.containernet": "Mininet’s calls",
        "lab.live": "labs that are up",
        "lab.testbed": "real machines",
        "experiments": "cells, figures, claims",
    },
    {
        "lab.report": "statistics, charts, pages",
        "lab.catalog": "finds a topology",
        "lab.virtual": "virtual time",
    },
    {
        "lab.emulation": "hosts and links, made on this machine",
        "lab.runs": "measures, judges",
        "lab.formats": "topology files",
    },
    {
        "topologies": "linear, ring, …",
        "lab.measure": "iperf3, ping, counters",
        "lab.draw": "graphs drawn",
        "overlays": "weave, flannel, …",
        "lab.dsl": "GTS documents",
    },
    {"lab.icount": "counts instructions"},
    {"lab.images": "Docker images", "lab.topology": "the checked graph", "lab.hosts": "run, put, get"},
    {"lab.published": "figures of the studies", "lab.plugins": "entry points"},
    {"lab.util": "files, locks, concurrency"},
    {"lab.errors": "LabError and its kinds", "lab.events": "progress, as data"},
)
#: The floor of each room, 0 at the top.
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
#: Rooms with rooms of their own, which the picture shows.
INNER = {
    "lab.emulation.light": "namespaces",
    "lab.emulation.docker": "containers",
    "lab.emulation.wire": "NFQUEUE",
    "lab.emulation.links": "veth, netem, htb",
}
#: Import lines that other people's scripts have: each hands over to the new place, and nothing here uses it.
FORMER_NAMES = frozenset({"lab.emulation.network"})


@dataclass(frozen=True, order=True)
class Import:
    """One import: full names of two modules, and the line.

    `by_name` marks a string that names a module, as in ``python -m lab.emulation.wire.daemon``: it is a
    dependency, but starts a process of its own, so it closes no circle.
    """

    importer: str
    imported: str
    line: int = 0
    by_name: bool = False

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


def modules(root: Path, packages: Iterable[str] = PACKAGES) -> dict[str, Path]:
    """Return every module below a root, by its full name; a package has the name of its folder."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }


def imports(root: Path, packages: Iterable[str] = PACKAGES) -> list[Import]:
    """Return every import of one module under a root by another, imports inside functions included.

    A name that a package passes on is resolved to the module that defines it. Imports for type checkers
    count only in a lazy face, an ``__init__`` with a ``__getattr__``, where they stand for the real ones.
    """
    known = modules(root, packages)
    found = {
        Import(importer, imported, line, by_name)
        for importer, path in known.items()
        for imported, line, by_name in _imports_of(importer, path, known)
        if imported != importer
    }
    return sorted(found)


def _imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, int, bool]]:
    tree = parse(path)
    skipped = set() if _is_lazy_face(path) else {id(node) for node in for_type_checkers(tree)}
    docs = {id(node) for node in docstrings(tree)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, False) for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, name, path)
            for alias in node.names:
                yield from ((target, node.lineno, False) for target in _defined_in(source, alias.name, known))
        elif isinstance(node, ast.Constant) and id(node) not in docs and _names_a_module(node.value, known):
            yield str(node.value), node.lineno, True


def _names_a_module(value: object, known: dict[str, Path]) -> bool:
    return isinstance(value, str) and "." in value and value in known


def _source(node: ast.ImportFrom, name: str, path: Path) -> str:
    """Return the full name of the module after ``from``, also of a relative import."""
    if not node.level:
        return node.module or ""
    parts = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _defined_in(source: str, name: str, known: dict[str, Path]) -> set[str]:
    """Return the modules that define a name which is imported from a module or package."""
    if f"{source}.{name}" in known:
        return {f"{source}.{name}"}
    if source not in known:
        return set()
    passed_on = _passed_on(source, known[source])
    if name == "*":
        return {source}.union(*(_defined_in(*origin, known) for origin in passed_on.values()))
    if name in passed_on and passed_on[name] != (source, name):
        return _defined_in(*passed_on[name], known) or {source}
    return {source}


@cache
def _passed_on(name: str, path: Path) -> dict[str, tuple[str, str]]:
    """Return the names that a package's ``__init__`` takes from elsewhere: from where, and as what."""
    if path.name != "__init__.py":
        return {}
    return {
        alias.asname or alias.name: (_source(node, name, path), alias.name)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def _is_lazy_face(path: Path) -> bool:
    return path.name == "__init__.py" and any(
        isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in ast.walk(parse(path))
    )


def for_type_checkers(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that only a type checker reads: what stands below ``if TYPE_CHECKING:``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in node.body:
                yield from ast.walk(statement)


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the docstrings of a module, its classes and its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body[:1]:
                case [ast.Expr(value=ast.Constant(value=str()) as text)]:
                    yield text


def room(module: str) -> str:
    """Return the room of a module: a folder of `lab`, a module beside them, or a package of plug-ins."""
    parts = module.split(".")
    if parts[0] != "lab":
        return parts[0]
    return "lab" if parts[1:] in ([], ["__main__"]) else ".".join(parts[:2])


def upward(found: Iterable[Import]) -> list[str]:
    """Return the imports that do not run from a floor to a lower one, and those of rooms without a floor."""
    wrong = []
    for each in found:
        here, there = room(each.importer), room(each.imported)
        if here == there or each.importer in FORMER_NAMES:
            continue
        if here not in FLOOR or there not in FLOOR:
            wrong.append(f"{each}: no floor has {here if here not in FLOOR else there}")
        elif FLOOR[there] <= FLOOR[here]:
            wrong.append(f"{each}: up from floor {FLOOR[here]} to {FLOOR[there]}")
    return wrong


def circles(found: Iterable[Import]) -> list[str]:
    """Return one circle of imports for every knot of modules that import each other."""
    graph = nx.DiGraph((each.importer, each.imported) for each in found if not each.by_name)
    knots = [sorted(knot) for knot in nx.strongly_connected_components(graph) if len(knot) > 1]
    shown = []
    for knot in sorted(knots):
        edges = nx.find_cycle(graph.subgraph(knot), knot[0])
        shown.append(" -> ".join([*(start for start, _ in edges), edges[0][0]]))
    return shown


def thinned(found: Iterable[Import]) -> list[tuple[str, str]]:
    """Return the arrows between rooms that no other arrows imply (the transitive reduction)."""
    pairs = {
        (room(each.importer), room(each.imported)) for each in found if each.importer not in FORMER_NAMES
    }
    return _reduced(pairs, FLOOR)


def thinned_inside(found: Iterable[Import]) -> list[tuple[str, str]]:
    """Return the arrows between the inner rooms, thinned likewise."""
    pairs = {(_inner_room(each.importer), _inner_room(each.imported)) for each in found if not each.by_name}
    return _reduced(pairs, {place: order for order, place in enumerate(INNER)})


def _reduced(pairs: Iterable[tuple[str, str]], order: dict[str, int]) -> list[tuple[str, str]]:
    down = (pair for pair in pairs if set(pair) <= order.keys() and order[pair[0]] < order[pair[1]])
    return sorted(nx.transitive_reduction(nx.DiGraph(down)).edges)


def _inner_room(module: str) -> str:
    return next((inner for inner in INNER if f"{module}.".startswith(f"{inner}.")), "")


def sizes(root: Path) -> dict[str, int]:
    """Return the number of lines of every room and inner room."""
    total = dict.fromkeys([*FLOOR, *INNER], 0)
    for name, path in modules(root).items():
        lines = len(path.read_text().splitlines())
        for place in {room(name), _inner_room(name)} - {""}:
            total[place] = total.get(place, 0) + lines
    return total
