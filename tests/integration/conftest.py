"""Integration tests need root and Docker; what else they need, each says for itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from tests.integration import axe as axe_core
from tests.integration.inventory import inventory
from tests.paths import ROOT

# a script that a test hangs up ends, also where these tests were started with nohup
signal.signal(signal.SIGHUP, signal.SIG_DFL)
#: Under this name a report of the contract suite has the overlay and mode that it is about.
CONTRACT = "contract"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is an integration test; without root none of them can run.

    A test that takes the running overlay of `test_overlays.py` is the contract suite's: its reports
    say which overlay and mode it asked. Others have an overlay's name among their parameters too.
    """
    for item in items:
        if "tests/integration" in str(item.path):
            item.add_marker(pytest.mark.integration)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="integration tests build networks: run them as root"))
        if item.path.name == "test_overlays.py" and "running" in getattr(item, "fixturenames", ()):
            item.user_properties.append((CONTRACT, item.callspec.params["running"]))  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each overlay and mode of the contract suite: how its tests ended, or why it cannot be had here."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, str] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if spec := dict(getattr(report, "user_properties", ())).get(CONTRACT):
                counts[spec][outcome] += 1
                if outcome == "skipped":
                    reasons[spec] = report.longrepr[2].removeprefix("Skipped: ")
    if not counts:
        return
    terminalreporter.section("the contract of every overlay and mode")
    for spec, count in sorted(counts.items()):
        said = ", ".join(f"{number} {outcome}" for outcome, number in count.items() if outcome != "skipped")
        terminalreporter.line(f"{spec:<40} {said or 'cannot: ' + reasons[spec]}")


@pytest.fixture(scope="session")
def docker_daemon() -> Iterator[None]:
    """A Docker daemon for the whole session, so that each test's before and after are alike.

    What a killed command left before the tests goes first: else it goes in the middle of one.
    """
    from lab.emulation.docker.daemon import Daemon

    daemon = Daemon()
    asyncio.run(asyncio.to_thread(daemon.ensure))
    subprocess.run([sys.executable, "-m", "lab", "cleanup"], cwd=ROOT, check=True)
    yield
    asyncio.run(asyncio.to_thread(daemon.release))


@pytest.fixture
def nothing_left(docker_daemon: None) -> Iterator[None]:
    """The machine is after the test what it was before."""
    before = inventory()
    yield
    after = inventory()
    assert after == before


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, the checker of accessibility by Deque."""
    if (package := axe_core.fetch()) is None:
        pytest.skip(f"needs {axe_core.AXE} from npm")
    return axe_core.script(package)
