"""Dependencies point one way; the engine never prints; no overlay knows how a host was made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("lab", "topologies", "overlays", "experiments")

#: Who may not import what. `lab.cli` and benchmarks put the parts together and may import all.
FORBIDDEN = {
    "lab/topology": (
        "lab.hosts",
        "lab.emulation",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "lab/dsl": (
        "lab.hosts",
        "lab.emulation",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "topologies": (
        "lab.hosts",
        "lab.emulation",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "overlays",
        "experiments",
    ),
    "lab/hosts": (
        "lab.emulation",
        "lab.testbed",
        "lab.measure",
        "lab.runs",
        "lab.report",
        "lab.cli",
        "overlays",
        "experiments",
    ),
    "overlays": ("lab.emulation", "lab.testbed", "lab.runs", "lab.report", "lab.cli", "experiments"),
    "experiments": ("lab.emulation", "lab.testbed", "lab.cli"),
    "lab/measure": ("lab.emulation", "lab.testbed", "lab.runs", "lab.report", "lab.cli", "experiments"),
    "lab/runs": ("lab.emulation", "lab.testbed", "lab.cli"),
    "lab/report": ("lab.emulation", "lab.testbed", "lab.cli"),
    "lab/live": ("lab.cli",),
    "lab/testbed": ("lab.emulation", "lab.report", "lab.cli", "lab.live", "overlays", "experiments"),
    "lab/emulation": (
        "lab.live",
        "lab.testbed",
        "lab.runs",
        "lab.report",
        "lab.cli",
        "overlays",
        "experiments",
    ),
}


def modules(below: str) -> Iterator[Path]:
    path = ROOT / below
    yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, but for names that only type checkers see."""
    tree = ast.parse(path.read_text())
    for_types = {id(inner) for node in ast.walk(tree) if _is_for_types(node) for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("who", FORBIDDEN)
def test_imports_point_one_way(who: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(who)
        for name in imported(path)
        for barred in FORBIDDEN[who]
        if name == barred or name.startswith(barred + ".")
    ]
    assert not wrong, wrong


def test_the_arrows_would_be_noticed(tmp_path: Path) -> None:
    """The test above can fail: an import inside a function counts, one for types alone does not."""
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lab.runs\n"
        "def f():\n    from lab.emulation.docker import image_store\n"
    )
    assert "lab.emulation.docker.image_store" in imported(path)
    assert "lab.runs" not in imported(path)


def test_only_the_command_line_prints() -> None:
    printing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in modules(package)
        if "lab/cli/" not in str(path) and path.name != "__main__.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    # two programs of their own, which talk to the process that started them
    assert {place.split(":")[0] for place in printing} <= {
        "lab/emulation/wire/daemon.py",
        "lab/emulation/wire/probe.py",
    }


def test_no_overlay_and_no_experiment_asks_whether_a_host_is_emulated() -> None:
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("overlays", "experiments")
        for path in modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.If | ast.IfExp)
        for word in ast.walk(node.test)
        if isinstance(word, ast.Name | ast.Attribute)
        and "emulat" in (word.id if isinstance(word, ast.Name) else word.attr).lower()
    ]
    assert not asking


def test_no_shell_strings_on_hosts() -> None:
    """Commands are argv lists: nobody passes shell=True."""
    shells = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert not shells


def test_no_container_is_privileged() -> None:
    words = [
        str(path.relative_to(ROOT))
        for package in (*PACKAGES, "images", "scripts")
        for path in (ROOT / package).rglob("*")
        if path.is_file()
        and path.suffix in (".py", ".sh", "")
        and "--privileged" in path.read_text(errors="replace")
    ]
    assert not words
