"""The command line, as typed: status, output and errors of one command."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from lab.cli.main import run

Lab = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    """Runs a command line and gives its status, output and errors."""

    def ran(*argv: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *map(str, argv)])
        try:
            run()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return ran
