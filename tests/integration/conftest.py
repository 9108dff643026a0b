"""Integration tests need root and Docker; what else they need, each says for itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.integration.inventory import inventory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is an integration test; without root none of them can run."""
    for item in items:
        if "tests/integration" in str(item.path):
            item.add_marker(pytest.mark.integration)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="integration tests build networks: run them as root"))


@pytest.fixture(scope="session")
def docker_daemon() -> Iterator[None]:
    """A Docker daemon for the whole session, so that each test's before and after are alike."""
    from lab.emulation.daemon import Daemon

    daemon = Daemon()
    asyncio.run(asyncio.to_thread(daemon.ensure))
    yield
    asyncio.run(asyncio.to_thread(daemon.release))


@pytest.fixture
def nothing_left(docker_daemon: None) -> Iterator[None]:
    """The machine is after the test what it was before."""
    before = inventory()
    yield
    after = inventory()
    assert after == before
