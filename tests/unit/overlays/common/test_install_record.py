"""The record of an installed overlay on its hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.errors import OverlayError
from overlays.common import install_record
from tests.unit.fakes import FakeHost


def written(settings: dict[str, str], **told: Any) -> str:
    return json.dumps({"settings": settings, "told": told})


async def test_hosts_that_know_nothing_are_new() -> None:
    found = await install_record.read("tinc", {"mtu": "1376"}, [FakeHost("AMS"), FakeHost("PRG")])
    assert found.choices is None
    assert [host.name for host in found.new] == ["AMS", "PRG"]


async def test_other_options_are_refused_with_both_named() -> None:
    host = FakeHost("AMS", lambda argv: (0, written({"mtu": "1376", "encryption": "on"})))
    with pytest.raises(OverlayError) as caught:
        await install_record.read("tinc", {"mtu": "1376", "encryption": "off"}, [host])
    assert "tinc runs on AMS with encryption=on, and encryption=off was asked for" in str(caught.value)
