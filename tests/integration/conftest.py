"""Integration tests need root and Docker; what else they need, each says for itself."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from tests.integration.inventory import inventory
from tests.paths import ROOT

#: Under this name a report of the contract suite has the overlay and mode that it is about.
CONTRACT = "contract"
#: The checker of accessibility, and the SHA-256 of its package.
AXE = "axe-core@4.10.3"
AXE_HASH = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"


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
            if spec := dict(report.user_properties).get(CONTRACT):
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
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, the checker of accessibility by Deque; from npm, where there is one."""
    folder = tmp_path_factory.mktemp("axe")
    argv = ["npm", "pack", AXE, "--silent", f"--cache={folder / 'cache'}"]
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"needs {AXE} from npm")
    package = folder / done.stdout.split()[-1]
    assert hashlib.sha256(package.read_bytes()).hexdigest() == AXE_HASH
    with tarfile.open(package) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()
