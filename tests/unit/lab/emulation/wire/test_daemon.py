"""The wire's daemon: requests that make no sense, and what it imports. No root."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links import jitter, timestamps
from lab.emulation.wire import daemon, loop, nfqueue, qdisc_backlog


@pytest.mark.parametrize("module", [daemon, loop, nfqueue, qdisc_backlog, jitter, timestamps])
def test_the_process_imports_next_to_nothing(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    own = ("wire.nfqueue", "wire.qdisc_backlog", "wire.loop", "links.jitter", "links.timestamps")
    assert foreign <= {f"lab.emulation.{name}" for name in own}


def test_requests_that_make_no_sense_are_answered_and_survived() -> None:
    wire = loop.WireLoop()

    for nonsense in (
        b"{",
        b"[]",
        b'{"do": "set"}',
        b'{"do": "set", "queues": [["x", 1, "p", 9, {}]], "lead": 0}',
    ):
        assert "error" in daemon.handle(wire, nonsense)
    assert wire.running
    wire.stamps.close()
