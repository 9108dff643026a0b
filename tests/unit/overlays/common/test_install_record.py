"""The record of an installed overlay on its hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.errors import OverlayError
from overlays.common import install_record
from overlays.common.batch import Batch
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


async def test_a_host_that_has_the_overlay_tells_what_was_chosen_and_others_are_new() -> None:
    there = FakeHost("AMS", lambda argv: (0, written({"mtu": "1"}, port=5)))
    later = FakeHost("BRA", lambda argv: (0, written({"mtu": "1"}, port=6)))
    found = await install_record.read("tinc", {"mtu": "1"}, [there, FakeHost("PRG"), later])  # type: ignore[list-item]
    assert (found.choices, [host.name for host in found.new]) == ({"port": 5}, ["PRG"])
    assert there.ran == [("cat", "/run/lab/overlays/tinc.json")]


def test_options_that_only_one_side_has_are_named_as_none() -> None:
    install_record.refuse_other("x", "AMS", {"a": "1"}, {"a": "1"})
    with pytest.raises(OverlayError) as caught:
        install_record.refuse_other("x", "AMS", {"a": "1", "c": "3"}, {"a": "1", "b": "2"})
    assert str(caught.value) == (
        "x runs on AMS with b=none, c=3, and b=2, c=none was asked for; ask for what runs, "
        "or uninstall it first"
    )


async def test_a_record_is_written_on_every_host_and_taken_away() -> None:
    hosts = [FakeHost("AMS"), FakeHost("PRG")]
    await install_record.write("tinc", {"mtu": "1"}, {"port": 5}, hosts)  # type: ignore[arg-type]
    text = json.dumps({"settings": {"mtu": "1"}, "told": {"port": 5}})
    wanted = Batch().write("/run/lab/overlays/tinc.json", text).script
    assert [host.fed for host in hosts] == [[wanted], [wanted]]
    assert install_record.drop(Batch(), "tinc").script == "rm -f /run/lab/overlays/tinc.json\n"
