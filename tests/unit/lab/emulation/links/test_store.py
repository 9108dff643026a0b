"""The store of what is asked of links. No root."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation.links import store
from lab.emulation.links.link import Wiring
from lab.errors import UnknownName
from tests.unit.lab.emulation.links.fakes import SPEC


def test_what_is_asked_survives_the_process(tmp_path: Path) -> None:
    line = Wiring(SPEC, 1, 2).state.changed(("ab",), queue=5000)
    store.LinkStore(tmp_path).save({"AMS-PRG": line})

    assert store.LinkStore(tmp_path).states == {"AMS-PRG": line}
    assert store.LinkStore(tmp_path).find("AMS-PRG") == line
    with pytest.raises(UnknownName, match="AMS-PRG"):
        store.LinkStore(tmp_path).find("ams-prg")


def test_a_link_is_remembered_as_it_was_made_until_it_is_gone(tmp_path: Path) -> None:
    links = store.LinkStore(tmp_path)
    made = Wiring(SPEC, 1, 2).state
    links.save({"AMS-PRG": made})
    links.save({"AMS-PRG": made.changed(("ab",), loss=7.0)})

    assert links.find("AMS-PRG").ab.loss == 7.0
    assert links.find("AMS-PRG", initial=True) == made
    links.save({})
    assert links.initial == {}
    again = replace(made, number=9)
    links.save({"AMS-PRG": again})
    assert links.find("AMS-PRG", initial=True) == again


async def test_one_waits_for_the_lock_of_another(tmp_path: Path) -> None:
    order, began = list[str](), asyncio.Event()

    async def hold(word: str) -> None:
        async with store.LinkStore(tmp_path).locked():
            order.append(f"{word} in")
            began.set()
            await asyncio.sleep(0)
            order.append(f"{word} out")

    first = asyncio.ensure_future(hold("a"))
    await began.wait()
    await asyncio.wait_for(asyncio.gather(first, hold("b")), 20)
    assert order == ["a in", "a out", "b in", "b out"]
