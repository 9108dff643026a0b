"""The house as its tests see it: imports run down and never in a circle; names, sizes and folders keep to it.

Every check is a function over a root folder, so that a planted fault shows that it can fail.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import plugins
from scripts.architecture import PICTURE
from scripts.architecture_imports import (
    FLOOR,
    FORMER_NAMES,
    INNER,
    PACKAGES,
    Import,
    circles,
    docstrings,
    imports,
    modules,
    parse,
    room,
    sizes,
    thinned,
    thinned_inside,
    upward,
)
from scripts.architecture_svg import draw, shape
from tests.paths import ROOT

#: The rooms that make hosts or deal with those that are made, and all that stands above them.
MODES = ("lab.emulation", "lab.testbed", "lab.containernet", "lab.live", "lab.doctor")
TOP = ("lab.app", "lab.cli", "lab.api")
#: Who may not import what, also where the floors would let him: the contracts of the parts.
FORBIDDEN = {
    "lab/topology": (
        *MODES,
        *TOP,
        "lab.hosts",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "lab/dsl": (
        *MODES,
        *TOP,
        "lab.hosts",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "topologies": (
        *MODES,
        *TOP,
        "lab.hosts",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "lab/hosts": (*MODES, *TOP, "lab.measure", "lab.runs", "lab.report", "overlays", "experiments"),
    "overlays": (*MODES, *TOP, "lab.runs", "lab.report", "experiments"),
    "experiments": (*MODES, *TOP, "overlays"),
    "lab/measure": (*MODES, *TOP, "lab.runs", "lab.report", "overlays", "experiments"),
    "lab/runs": (*MODES, *TOP, "lab.report", "experiments"),
    "lab/report": (*MODES, *TOP, "experiments"),
    "lab/live": (*TOP, "lab.testbed", "lab.containernet", "experiments"),
    "lab/containernet": (
        *TOP,
        "lab.testbed",
        "lab.live",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "lab/testbed": (
        *TOP,
        "lab.emulation",
        "lab.containernet",
        "lab.live",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "lab/emulation": (
        *TOP,
        "lab.testbed",
        "lab.containernet",
        "lab.live",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 50  # lines
MOST_NAMES_AT_THE_TOP = 12
#: A docstring says what a thing does or is: it does not begin with a question.
QUESTIONS = ("What", "Whether", "Whose", "How", "Where")
#: Names of plug-ins that are also words of the field: a string that has one of them means the word.
WORDS_OF_THE_FIELD = frozenset({"congestion", "cpu", "offload", "paths"})
#: Names of plug-ins that are English words: only a string that is nothing else names the plug-in.
ENGLISH = frozenset(
    {"baseline", "datagram", "encryption", "fragmentation", "grid", "linear", "mesh", "random", "ring"}
    | {"star", "streaming", "throughput", "tree", "window"}
)
#: Where the engine names a plug-in, and why it may.
NAMED = {
    "lab.published": "the studies' figures, by the names of the overlays that they measured",
    "lab.cli.calibrate": "a default",
    "lab.cli.capacity": "a default",
    "lab.cli.export_dsl": "a default",
    "lab.cli.inventory": "a default",
    "lab.cli.main": "the verb of one experiment, in its panel",
    "lab.cli.packetcost": "the verb of one experiment",
    "lab.cli.experiment_options": "the environment variable that names a Weave router",
    "lab.doctor": "programs that this machine may lack",
    "lab.view.questions": "the path over the links, a field of an answer",
    "lab.hosts.facts": "programs that a host may lack",
    "lab.testbed.survey": "what overlays leave on a real machine, found also when none is at hand",
}


@pytest.fixture(scope="module")
def found() -> list[Import]:
    """Every import between the product's modules."""
    return imports(ROOT)


def planted(root: Path, files: dict[str, str]) -> Path:
    """Write files below a root, as a product tree."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def none_of(faults: list[str]) -> None:
    """Fail with every fault on a line of its own."""
    assert not faults, "\n".join(["", *faults])


# arrows and circles


def barred(found: list[Import], forbidden: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the imports that a contract rules out."""
    return [
        str(each)
        for each in found
        for who, names in forbidden.items()
        if f"{each.importer}.".startswith(who.replace("/", ".") + ".") and each.importer not in FORMER_NAMES
        if any(f"{each.imported}.".startswith(f"{name}.") for name in names)
    ]


def test_imports_run_from_a_floor_to_a_lower_one(found: list[Import]) -> None:
    none_of(upward(found))


@pytest.mark.parametrize("who", FORBIDDEN)
def test_imports_point_one_way(who: str, found: list[Import]) -> None:
    none_of(barred(found, {who: FORBIDDEN[who]}))


def test_no_imports_run_in_a_circle(found: list[Import]) -> None:
    none_of(circles(found))


def test_every_room_has_a_floor_and_every_floor_has_only_rooms() -> None:
    rooms = {room(name) for name in modules(ROOT)} - {"lab"}
    assert rooms == FLOOR.keys() - {"lab"}
    assert modules(ROOT).keys() >= INNER.keys()


def test_links_do_not_know_the_wire(found: list[Import]) -> None:
    """The contract of a shaper stands below its implementations in other folders."""
    order = {inner: place for place, inner in enumerate(INNER)}
    inside = [(f"{a.importer}.", f"{a.imported}.") for a in found if not a.by_name]
    up = [
        f"{importer[:-1]} imports {imported[:-1]}"
        for importer, imported in inside
        for a in order
        for b in order
        if importer.startswith(f"{a}.") and imported.startswith(f"{b}.") and order[b] < order[a]
    ]
    none_of(up)


def test_nothing_uses_the_former_name_of_a_module(found: list[Import]) -> None:
    assert not [str(each) for each in found if each.imported in FORMER_NAMES]


def test_an_arrow_up_would_be_noticed(tmp_path: Path) -> None:
    """An import inside a function counts, and a module named in a string; one for types alone does not."""
    root = planted(
        tmp_path,
        {
            "lab/__init__.py": "",
            "lab/runs/plan.py": "x = 1\n",
            "lab/emulation/docker/image_store.py": "x = 1\n",
            "lab/emulation/cleanup.py": "x = 1\n",
            "lab/hosts/host.py": "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import lab.runs.plan\n"
            "def f():\n    from lab.emulation.docker import image_store\n"
            "COMMAND = ['-m', 'lab.emulation.cleanup']\n",
        },
    )
    found = imports(root)
    assert [each.imported for each in found] == ["lab.emulation.docker.image_store", "lab.emulation.cleanup"][
        ::-1
    ]
    assert len(upward(found)) == 2
    assert len(barred(found, FORBIDDEN)) == 2


def test_an_arrow_along_a_floor_and_a_room_without_a_floor_would_be_noticed(tmp_path: Path) -> None:
    root = planted(
        tmp_path,
        {
            "lab/runs/plan.py": "from lab.emulation import builder\n",
            "lab/emulation/builder.py": "import lab.attic.box\n",
            "lab/attic/box.py": "",
        },
    )
    along, unknown = sorted(upward(imports(root)), key=lambda fault: "no floor" in fault)
    assert along.startswith("lab.runs.plan:1 imports lab.emulation.builder: up from")
    assert unknown == "lab.emulation.builder:1 imports lab.attic.box: no floor has lab.attic"


LAZY_FACE = (
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lab.a.one import One as One\n"
    "def __getattr__(name):\n    ...\n"
)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("import lab.a.two\n", "def f():\n    import lab.a.one\n"),
        ("from lab.a.two import Two\n", "def f():\n    from lab.a import One\n"),
        ("from .two import Two\n", "from . import one\n"),
        ("from lab.a import two\n", "from lab.a import *\n"),
        ("from lab.a import two\n", "from lab import One\n"),
    ],
    ids=["inside a function", "through a lazy face", "relative", "star", "through two faces"],
)
def test_a_circle_would_be_noticed(tmp_path: Path, one: str, two: str) -> None:
    files = {"lab/__init__.py": "from lab.a import One\n", "lab/a/__init__.py": LAZY_FACE}
    root = planted(tmp_path, {**files, "lab/a/one.py": one, "lab/a/two.py": two})
    (circle,) = circles(imports(root))
    assert {"lab.a.one", "lab.a.two"} <= set(circle.split(" -> "))


def test_types_and_names_in_strings_close_no_circle(tmp_path: Path) -> None:
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lab.a.one import One\n"
    root = planted(
        tmp_path,
        {
            "lab/a/__init__.py": LAZY_FACE,
            "lab/a/one.py": "from lab.a.two import Two\nPROGRAM = 'lab.a.three'\n",
            "lab/a/two.py": types,
            "lab/a/three.py": "from lab.a.one import One\n",
        },
    )
    assert not circles(imports(root))


# names, sizes, docstrings


def doubles(root: Path) -> dict[str, list[str]]:
    """Return the public top-level classes that share a name, with the modules that define them."""
    places = defaultdict(list)
    for name, path in modules(root).items():
        for node in parse(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    return {name: where for name, where in places.items() if len(where) > 1}


def questions(root: Path) -> list[str]:
    """Return the docstrings that begin with a question word."""
    return [
        f"{path.relative_to(root)}:{text.lineno}: {str(text.value).split(chr(10))[0]}"
        for path in modules(root).values()
        for text in docstrings(parse(path))
        if str(text.value).split(maxsplit=1)[:1]
        and str(text.value).split(maxsplit=1)[0].rstrip(":,") in QUESTIONS
    ]


def too_long(root: Path) -> list[str]:
    """Return the files and functions that are longer than a reader can hold."""
    files = [
        f"{path.relative_to(root)}: {lines} lines"
        for path in modules(root).values()
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    ]
    return files + [
        f"{path.relative_to(root)}:{node.lineno} {node.name}: {lines} lines"
        for path in modules(root).values()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]


def named_plugins(root: Path, names: set[str]) -> dict[str, list[str]]:
    """Return, for every module of `lab`, the strings that name a plug-in; docstrings do not count."""
    distinct = names - ENGLISH - WORDS_OF_THE_FIELD
    word = re.compile(rf"(?<![a-z0-9])({'|'.join(map(re.escape, sorted(distinct)))})", re.IGNORECASE)
    naming = defaultdict(list)
    for name, path in modules(root, ("lab",)).items():
        docs = {id(text) for text in docstrings(parse(path))}
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.Constant) or id(node) in docs:
                continue
            text = node.value
            if isinstance(text, str) and (word.search(text) or text in names & ENGLISH):
                naming[name].append(f"{node.lineno}: {text[:60]!r}")
    return {name: sorted(where) for name, where in naming.items()}


def own_plugins(root: Path) -> set[str]:
    """Return the names of all plug-ins of a tree."""
    names = {path.stem for kind in plugins.KINDS for path in (root / kind).iterdir()} - plugins.SHARED
    return {name for name in names if not name.startswith("_")}


def test_one_class_name_is_one_type() -> None:
    none_of([f"{name}: {', '.join(where)}" for name, where in doubles(ROOT).items()])


def test_no_docstring_begins_with_a_question() -> None:
    none_of(questions(ROOT))


def test_files_and_functions_are_short() -> None:
    none_of(too_long(ROOT))


def test_the_engine_names_no_plugin() -> None:
    naming = named_plugins(ROOT, own_plugins(ROOT))
    none_of([f"{name}:{each}" for name, where in naming.items() if name not in NAMED for each in where])
    assert not NAMED.keys() - naming.keys(), "these name no plug-in any more: strike them off the list"


def test_doubles_questions_lengths_and_names_would_be_noticed(tmp_path: Path) -> None:
    long = "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION
    root = planted(
        tmp_path,
        {
            "lab/a.py": '"""What a thing is."""\nclass Line:\n    pass\nclass _Own:\n    pass\n',
            "lab/b.py": '"""A thing for weave."""\nclass Line:\n    pass\nclass _Own:\n    pass\n' + long,
            "overlays/c.py": "x = 1\n" * (LONGEST_FILE + 1) + "NAME = 'weave'\n",
            "lab/d.py": "NAMES = ['weaver', f'{1} and Weave', 'ring', 'a ring', 'cpu', 'unweave']  # weave\n",
        },
    )
    assert doubles(root) == {"Line": ["lab.a", "lab.b"]}
    assert questions(root) == ["lab/a.py:1: What a thing is."]
    assert too_long(root) == ["overlays/c.py: 402 lines", "lab/b.py:6 f: 51 lines"]
    assert named_plugins(root, {"weave", "ring", "cpu"}) == {
        "lab.d": ["1: ' and Weave'", "1: 'ring'", "1: 'weaver'"]
    }


def test_the_emulation_is_a_dozen_rooms_at_most() -> None:
    names = {path.name for path in (ROOT / "lab" / "emulation").iterdir()} - {"__init__.py", "__pycache__"}
    assert len(names) <= MOST_NAMES_AT_THE_TOP, sorted(names)


# tests


def strays(root: Path) -> list[str]:
    """Return the tests whose path is not that of a module or package: tests/unit/a/test_b.py tests a/b.py."""
    unit = root / "tests" / "unit"
    return [
        str(path.relative_to(root))
        for path in sorted(unit.rglob("test_*.py"))
        if path.parent != unit and not any(_is_mirror(path, unit, base) for base in (root, root / "tests"))
    ]


def _is_mirror(path: Path, unit: Path, base: Path) -> bool:
    folder, subject = base / path.parent.relative_to(unit), path.stem.removeprefix("test_")
    if not folder.is_dir():
        return False
    as_a_whole = subject == folder.name or subject.startswith(f"{folder.name}_")
    return as_a_whole or (folder / f"{subject}.py").is_file() or (folder / subject / "__init__.py").is_file()


def test_tests_mirror_the_source() -> None:
    none_of(strays(ROOT))


def test_a_stray_test_would_be_noticed(tmp_path: Path) -> None:
    tests = [
        "a/test_b.py",
        "a/test_a.py",
        "a/test_pack.py",
        "a/test_gone.py",
        "gone/test_gone.py",
        "test_whole.py",
    ]
    packages = ["lab/a/__init__.py", "lab/a/pack/__init__.py"]
    source = dict.fromkeys([*packages, "lab/a/b.py", "tests/unit/lab/test_a.py"], "")
    mirror = {f"tests/unit/lab/{name}": "" for name in tests}
    root = planted(tmp_path, {**source, **mirror, "tests/unit/test_x.py": ""})
    assert strays(root) == [
        f"tests/unit/lab/{name}" for name in ("a/test_gone.py", "gone/test_gone.py", "test_whole.py")
    ]


# the picture


def test_the_picture_shows_this_house(found: list[Import]) -> None:
    """Sizes may differ: they come with the next `make architecture`."""
    assert shape(PICTURE.read_text()) == shape(draw(found, sizes(ROOT))), "run 'make architecture'"


def test_another_arrow_is_another_picture_and_another_size_is_not(found: list[Import]) -> None:
    lines = sizes(ROOT)
    picture = draw(found, lines)
    assert shape(draw(found, dict.fromkeys(lines, 12_345))) == shape(picture)
    more = [*found, Import("lab.draw.layout", "lab.images.apt")]
    assert shape(draw(more, lines)) != shape(picture)


def test_arrows_that_others_imply_are_left_out(found: list[Import]) -> None:
    way = [Import("lab.app.run", "lab.runs.plan"), Import("lab.runs.plan", "lab.hosts.host")]
    assert thinned([*way, Import("lab.app.run", "lab.hosts.host")]) == [
        ("lab.app", "lab.runs"),
        ("lab.runs", "lab.hosts"),
    ]
    assert ("lab.emulation.wire", "lab.emulation.links") in thinned_inside(found)


# the pages

PAGES = ("docs/explanation/architecture.md", "CONTRIBUTING.md")


def misnamed(page: str, root: Path) -> list[str]:
    """Return the files and folders that a page names and that are not there."""
    folders = "|".join([*PACKAGES, "tests", "docs", "scripts", "benchmarks"])
    whole = {
        name for name in re.findall(rf"`((?:{folders})/[^`\s]*)`", page) if not re.search(r"NAME|<", name)
    }
    short = set(re.findall(r"`([a-z_0-9/]+\.py)`", page)) - whole
    paths = [
        f"/{path.relative_to(root)}" for package in (*PACKAGES, "tests") for path in files(root / package)
    ]
    return sorted(name for name in whole if not (root / name).exists()) + sorted(
        name for name in short if not any(path.endswith(f"/{name}") for path in paths)
    )


def files(folder: Path) -> Iterator[Path]:
    """Yield every Python file below a folder."""
    yield from sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_files_that_there_are(page: str) -> None:
    none_of(misnamed((ROOT / page).read_text(), ROOT))


def test_every_room_has_a_line_on_the_page() -> None:
    table = (ROOT / PAGES[0]).read_text().partition("## The rooms")[2].partition("## ")[0]
    cells = {
        name
        for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
        for name in re.findall("`(.*?)`", row)
    }
    rooms = {name.removesuffix("/").removesuffix(".py").replace("/", ".") for name in cells}
    assert rooms == (FLOOR.keys() | INNER.keys()) - {"lab"}


def test_a_file_that_is_gone_would_be_noticed(tmp_path: Path) -> None:
    root = planted(tmp_path, {"lab/a/b.py": "", "docs/x.md": ""})
    page = "`lab/a/` `lab/a/b.py` `b.py` `docs/x.md` `lab/NAME.py` `lab/c.py` `a/c.py` `lab emulate`"
    assert misnamed(page, root) == ["lab/c.py", "a/c.py"]


# contracts of old


def product() -> Iterator[tuple[str, ast.Module]]:
    """Yield the path of every product file, and its syntax tree."""
    for path in modules(ROOT).values():
        yield str(path.relative_to(ROOT)), parse(path)


def test_only_the_command_line_prints() -> None:
    printing = {
        name
        for name, tree in product()
        if "lab/cli/" not in name and not name.endswith("__main__.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    # two programs of their own, which talk to the process that started them
    assert printing <= {"lab/emulation/wire/daemon.py", "lab/emulation/wire/probe.py"}


def test_no_overlay_and_no_experiment_asks_whether_a_host_is_emulated() -> None:
    asking = [
        f"{name}:{node.lineno}"
        for name, tree in product()
        if name.startswith(("overlays/", "experiments/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.If | ast.IfExp)
        for word in ast.walk(node.test)
        if isinstance(word, ast.Name | ast.Attribute)
        and "emulat" in (word.id if isinstance(word, ast.Name) else word.attr).lower()
    ]
    assert not asking


def test_no_shell_strings_on_hosts() -> None:
    """Commands are argv lists: nobody passes shell=True."""
    shells = [
        f"{name}:{node.value.lineno}"
        for name, tree in product()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert not shells


def test_no_container_is_privileged() -> None:
    words = [
        str(path.relative_to(ROOT))
        for package in (*PACKAGES, "scripts")
        for path in (ROOT / package).rglob("*")
        if path.is_file()
        and path.suffix in (".py", ".sh", "")
        and "--privileged" in path.read_text(errors="replace")
    ]
    assert not words


def test_private_stays_private() -> None:
    """ruff's SLF001 is on for the product: nobody reads another object's private names."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert {"SLF", "SLF001"} & {*lint["select"], *lint.get("extend-select", [])}
    off = [name for name, rules in lint["per-file-ignores"].items() if {"SLF", "SLF001"} & {*rules}]
    assert not [name for name in off if name.startswith(PACKAGES)]
    assert not {"SLF", "SLF001"} & {*lint["ignore"]}
    silenced = [name for name, _ in product() if "noqa: SLF" in (ROOT / name).read_text()]
    assert not silenced
