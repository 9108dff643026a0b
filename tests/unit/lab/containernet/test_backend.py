"""The lab under a Containernet network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.containernet import backend
from lab.containernet.cables import CableEnd
from lab.emulation import ownership
from lab.emulation.links.link import Shape, Wiring
from lab.errors import ShaperError
from lab.topology import LinkSpec


def test_links_in_this_machines_own_network_are_of_the_lab_and_have_a_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "RUN", tmp_path)
    lab: Any = SimpleNamespace(is_up=True, state=ownership.LabState.create())
    there = backend.Backend(lab, None)
    names = [there.record_link(), there.record_link()]
    assert names == [f"sap-{lab.state.lab_id}-0", f"sap-{lab.state.lab_id}-1"]
    assert lab.state.owned() == lab.state.owned("link") == names


class Fabric:
    """Writes down links; `broken` makes them fail."""

    def __init__(self, broken: bool = False) -> None:
        self.broken, self.shaper = broken, SimpleNamespace(states={})
        self.done: list[tuple[str, str]] = []

    async def add_links(self, wirings: Sequence[Wiring]) -> None:
        for wiring in wirings:
            self.done.append(("add", wiring.state.name))
            self.shaper.states[wiring.state.name] = wiring.state
        if self.broken:
            raise ShaperError("it cannot be")

    async def clear_links(self, links: Sequence[LinkSpec]) -> None:
        for link in links:
            self.done.append(("clear", link.name))
            del self.shaper.states[link.name]


def on(fabric: Fabric) -> tuple[Any, backend.Backend]:
    async def open_fabric() -> Fabric:
        return fabric

    lab = SimpleNamespace(is_up=True, open_fabric=open_fabric, shaper=fabric.shaper)
    return lab, backend.Backend(lab, None)  # type: ignore[arg-type]


A, B = CableEnd("a", "/run/netns/a", "a-eth0"), CableEnd("b", "/run/netns/b", "b-eth0")


def test_shaped_links_between_the_same_nodes_have_names_of_their_own_and_go_once() -> None:
    fabric = Fabric()
    _, there = on(fabric)
    names = [there.add_shaped_link(A, B, Shape(), Shape()) for _ in range(2)]
    assert names == ["a-b", "a-b.2"]
    for _ in range(2):
        there.delete_link("a-b")
    assert fabric.done[2:] == [("clear", "a-b")]
    assert list(fabric.shaper.states) == ["a-b.2"]


def test_of_a_link_that_cannot_be_shaped_nothing_is_left() -> None:
    fabric = Fabric(broken=True)
    _, there = on(fabric)
    with pytest.raises(ShaperError):
        there.add_shaped_link(A, B, Shape(), Shape())
    assert fabric.done == [("add", "a-b"), ("clear", "a-b")]


def test_a_link_of_a_lab_that_is_gone_is_gone() -> None:
    fabric = Fabric()
    lab, there = on(fabric)
    there.add_shaped_link(A, B, Shape(), Shape())
    lab.is_up = False
    there.delete_link("a-b")
    assert fabric.done == [("add", "a-b")]
