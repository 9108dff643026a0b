"""The unit tests that belong to a module: of the same name and place, of its packages, and that import it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.paths import ROOT

#: Test files of a module beside its own: some modules are imported by nearly all of them.
MOST = 4


def files(module: str) -> list[str]:
    """Return the test files of a module's file, the nearest first; none where there are none."""
    path = Path(module)
    own = Path("tests/unit", path.parent, f"test_{path.name}")
    dotted = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    of_packages = [
        str(file.relative_to(ROOT))
        for folder in own.parents
        if folder.is_relative_to("tests/unit") and folder.name != "unit"
        for file in sorted((ROOT / folder).glob(f"test_{folder.name}*.py"))
    ]
    near = sorted(file for file, names in _imported().items() if dotted in names)
    near.sort(key=lambda file: -len(_common(Path(file).parent, own.parent)))
    first = [str(own)] if (ROOT / own).exists() else []
    return list(dict.fromkeys([*first, *of_packages, *near]))[: MOST + 1]


def _common(one: Path, other: Path) -> list[str]:
    same = []
    for left, right in zip(one.parts, other.parts, strict=False):
        if left != right:
            break
        same.append(left)
    return same


@cache
def _imported() -> dict[str, frozenset[str]]:
    """By test file, what it imports: modules, and names that may be modules."""
    found = {}
    for file in sorted((ROOT / "tests/unit").rglob("test_*.py")):
        names = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            elif isinstance(node, ast.Import):
                names |= {one.name for one in node.names}
        found[str(file.relative_to(ROOT))] = frozenset(names)
    return found
