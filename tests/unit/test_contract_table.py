"""The table at the end of the contract suite counts what asked the contract, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.integration import conftest

HERE = Path(conftest.__file__).parent


def item(file: str, fixtures: tuple[str, ...] = (), **params: str) -> Any:
    """A collected test, as far as the table looks at it."""
    known = {"fixturenames": fixtures, "callspec": SimpleNamespace(params=params), "user_properties": []}
    return SimpleNamespace(path=HERE / file, add_marker=lambda marker: None, **known)


def test_only_tests_that_take_the_running_overlay_are_counted() -> None:
    contract = item("test_overlays.py", ("running",), running="tinc")
    skipped = item("test_overlays.py", ("running",), running="weave:mode=fastdp")
    others = [
        item("test_overlays.py", ("one", "other", "third"), one="flannel", other="weave"),
        item("test_overlays.py", ("spec",), spec="tinc"),
        item("test_overlays.py"),
        item("test_links.py", ("running",), running="tinc"),
    ]
    conftest.pytest_collection_modifyitems([contract, *others, skipped])
    lines: list[str] = []
    passed = [SimpleNamespace(user_properties=i.user_properties) for i in (contract, *others)]
    missing = SimpleNamespace(
        user_properties=skipped.user_properties, longrepr=("", 0, "Skipped: no Open vSwitch")
    )
    reporter: Any = SimpleNamespace(
        stats={"passed": passed, "skipped": [missing]}, section=lines.append, line=lines.append
    )
    conftest.pytest_terminal_summary(reporter)
    assert [line.split(maxsplit=1) for line in lines[1:]] == [
        ["tinc", "1 passed"],
        ["weave:mode=fastdp", "cannot: no Open vSwitch"],
    ]


def test_there_is_no_table_where_no_contract_was_asked() -> None:
    lines: list[str] = []
    other = SimpleNamespace(user_properties=[])
    reporter: Any = SimpleNamespace(stats={"passed": [other]}, section=lines.append, line=lines.append)
    conftest.pytest_terminal_summary(reporter)
    assert lines == []
