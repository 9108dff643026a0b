"""Facts of a host, as its programs print them."""

from __future__ import annotations

import pytest

from lab.hosts.facts import parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [("20.10.24+dfsg1\n", (20, 10, 24)), ("28.2.2", (28, 2, 2)), ("", ()), ("27.0.0-rc.1", (27, 0, 0))],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version
