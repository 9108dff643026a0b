"""The contract of shapers: what one cannot impose. No root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lab.emulation.links import shaper
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.emulation.links.shaper import Counters, Shaper
from lab.errors import ShaperError


def test_a_shaper_refuses_what_it_cannot_do_and_names_the_other() -> None:
    line = LinkState("AMS-PRG", 1, Shape(duplicate=1.0), Shape(corrupt=1.0, delay=5.0, jitter=1.0))

    shaper.refuse("netem", [line])
    with pytest.raises(
        ShaperError, match=r"AMS-PRG: wire cannot impose corrupt, duplicate; netem can \(--shaper netem\)"
    ):
        shaper.refuse("wire", [line])


class Obedient(Shaper):
    """Does at once what is asked; `kernel` is what it then reads back, by link."""

    name = "netem"

    def __init__(self, folder: Path) -> None:
        super().__init__("x", folder, None)  # type: ignore[arg-type]
        self.kernel: dict[str, dict[str, Shape]] = {}
        self.deaf = False

    @classmethod
    async def probe(cls, run: object = None) -> str | None:
        return None

    async def _add(self, links: Sequence[LinkState], states: Mapping[str, LinkState]) -> None:
        for link in links if not self.deaf else ():
            self.kernel[link.name] = {direction: link.shape(direction) for direction in DIRECTIONS}
        await self._switch(states)

    async def _replace(self, before: LinkState, after: LinkState, states: Mapping[str, LinkState]) -> None:
        await self._add([after], states)

    async def _read(self, links: Sequence[LinkState]) -> Mapping[str, Mapping[str, Shape]]:
        return {link.name: self.kernel[link.name] for link in links}

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        return {}


ONE = LinkState("A-B", 1, Shape(10.0, rate=50.0), Shape(10.0))
TWO = LinkState("B-C", 2, Shape(5.0), Shape(5.0))


async def test_links_are_stored_when_they_are_shaped_and_forgotten_when_they_are_removed(
    tmp_path: Path,
) -> None:
    made = Obedient(tmp_path)
    await made.apply([ONE])
    await made.apply([TWO])
    assert dict(made.states) == {"A-B": ONE, "B-C": TWO}
    assert await made.read_back("A-B") == made.kernel["A-B"]
    assert await made.read_back_all() == made.kernel
    await made.remove(["A-B"])
    assert dict(Obedient(tmp_path).states) == {"B-C": TWO}


async def test_a_change_keeps_what_it_does_not_name_and_the_first_state(tmp_path: Path) -> None:
    made = Obedient(tmp_path)
    await made.apply([ONE])
    after = await made.change("A-B", directions=["ba"], delay=30.0)
    assert (after.ab, after.ba.delay, made.states["A-B"]) == (ONE.ab, 30.0, after)
    assert (await made.change("A-B", delay=1.0)).ab.rate == 50.0
    assert made.initial("A-B") == ONE
    await made.put(ONE)
    assert made.states["A-B"] == ONE


async def test_what_does_not_read_back_as_asked_is_told(tmp_path: Path) -> None:
    made = Obedient(tmp_path)
    await made.apply([ONE])
    await made.check()
    made.deaf = True
    with pytest.raises(ShaperError, match="A-B"):
        await made.change("A-B", delay=30.0)
    with pytest.raises(ShaperError, match="A-B"):
        await made.check()
    made.kernel["B-C"] = made.kernel["A-B"]
    with pytest.raises(ShaperError, match="B-C"):
        await made.apply([TWO])


async def test_what_cannot_be_imposed_or_held_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Obedient(tmp_path)
    await made.apply([ONE])
    made.name = "wire"  # type: ignore[misc]
    with pytest.raises(ShaperError, match="wire cannot impose duplicate"):
        await made.change("A-B", duplicate=1.0)
    with pytest.raises(ShaperError, match="wire cannot impose corrupt"):
        await made.apply([LinkState("C-D", 3, Shape(corrupt=1.0), Shape())])
    monkeypatch.setattr(shaper.queue_memory, "available", lambda: 1000)
    for work in (made.change("A-B", delay=11.0), made.apply([TWO])):
        with pytest.raises(ShaperError, match="of memory"):
            await work
    assert dict(made.states) == {"A-B": ONE}


async def test_a_kernel_s_shaper_has_no_processes_and_costs_nothing_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Obedient(tmp_path)
    assert (made.processes, await made.cost()) == ((), {})
    monkeypatch.setattr(shaper, "Gauge", lambda namespace: f"of {namespace}")
    assert made.gauge() == "of lab-x"
    await made.prepare()
    await made.close()


@pytest.mark.parametrize(
    ("missing", "remedy"), [("corrupt", "netem can"), ("everything", "no shaper here can")]
)
def test_what_can_do_it_is_named(monkeypatch: pytest.MonkeyPatch, missing: str, remedy: str) -> None:
    if missing == "everything":
        monkeypatch.setattr(shaper, "ABILITIES", {"wire": frozenset(), "netem": frozenset({"delay"})})
    line = LinkState("A-B", 1, Shape(), Shape(corrupt=1.0))
    with pytest.raises(ShaperError, match=f"wire cannot impose corrupt; {remedy}"):
        shaper.refuse("wire", [LinkState("C-D", 2), line])
