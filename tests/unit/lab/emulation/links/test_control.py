"""Links of a lab that runs: changed, set down, up and back. No root."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.emulation.links.control import Links
from lab.emulation.links.link import Wiring
from lab.errors import ShaperError, UnknownName
from lab.topology.schedule import Change
from tests.unit.lab.emulation.links import fakes
from tests.unit.lab.emulation.links.fakes import Kernel, StoredShaper

SPEC = replace(fakes.SPEC, loss=0.0)


async def test_a_host_names_the_direction_that_it_sends_into(links: Links, shaper: StoredShaper) -> None:
    await links.change("PRG-AMS", {"loss": 5.0}, "PRG")

    line = shaper.states["AMS-PRG"]
    assert (line.ab.loss, line.ba.loss) == (0.0, 5.0)
    with pytest.raises(UnknownName, match="end of link AMS-PRG"):
        await links.change("AMS-PRG", {"loss": 5.0}, "BRA")
    with pytest.raises(UnknownName, match="did you mean 'AMS-PRG'"):
        await links.change("AMS-PRK", {"loss": 5.0})


async def test_a_link_that_is_down_stays_so_until_it_is_set_up(
    links: Links, shaper: StoredShaper, kernel: Kernel
) -> None:
    await links.set_down("AMS-PRG")
    assert (kernel.up, shaper.states["AMS-PRG"].down) == (False, True)
    await links.check()
    await links.change("AMS-PRG", {"rate": 5.0})
    assert not kernel.up
    await links.set_up("AMS-PRG")
    assert (kernel.up, shaper.states["AMS-PRG"].down) == (True, False)
    assert shaper.states["AMS-PRG"].ab.rate == 5.0


async def test_reset_is_as_at_first_but_for_what_the_path_takes(links: Links, shaper: StoredShaper) -> None:
    await shaper.put(replace(shaper.states["AMS-PRG"], trim=0.03))
    await links.change("AMS-PRG", {"delay": 40.0, "loss": 1.0})
    await links.set_down("AMS-PRG")

    await links.reset("AMS-PRG")

    assert shaper.states["AMS-PRG"] == replace(Wiring(SPEC, "a", "b").state, trim=0.03)


async def test_a_bridge_that_something_else_switched_is_told(links: Links, kernel: Kernel) -> None:
    kernel.up = False
    with pytest.raises(ShaperError, match="AMS-PRG was up, and is no longer"):
        await links.check()
    kernel.stuck = True
    with pytest.raises(ShaperError, match="could not be set up"):
        await links.set_up("AMS-PRG")


async def test_a_namespace_without_bridges_has_none_up(links: Links, kernel: Kernel) -> None:
    """`ip -j` says nothing at all where there is nothing."""
    kernel.silent = True
    with pytest.raises(ShaperError, match="AMS-PRG was up, and is no longer"):
        await links.check()


async def test_each_change_of_a_schedule_is_carried_out(
    links: Links, shaper: StoredShaper, kernel: Kernel
) -> None:
    def state() -> tuple[bool, bool, float | None, float | None]:
        link = shaper.states["AMS-PRG"]
        return kernel.up, link.down, link.ab.rate, link.ba.rate

    await links.carry_out(Change(1.0, "AMS-PRG", "set", "PRG", (("rate", 5.0),)))
    assert state() == (True, False, 200.0, 5.0)
    await links.carry_out(Change(2.0, "AMS-PRG", "down"))
    assert state() == (False, True, 200.0, 5.0)
    await links.carry_out(Change(3.0, "AMS-PRG", "up"))
    assert state() == (True, False, 200.0, 5.0)
    await links.carry_out(Change(4.0, "AMS-PRG", "reset"))
    assert state() == (True, False, 200.0, 200.0)


async def test_a_bridge_is_switched_and_looked_at_in_the_namespace_of_the_lab(
    links: Links, kernel: Kernel
) -> None:
    await links.set_down("AMS-PRG")
    inside = ["nsenter", "--net=/run/netns/lab-x"]
    assert kernel.ran == [
        [*inside, "ip", "-batch", "-"],
        [*inside, "ip", "-j", "link", "show", "type", "bridge"],
    ]


async def test_a_link_is_found_by_its_name_and_by_its_ends_in_both_orders(shaper: StoredShaper) -> None:
    links = Links("lab-x", shaper, [replace(SPEC, name="trunk")])  # type: ignore[arg-type]
    assert {links.find(name).number for name in ("trunk", "AMS-PRG", "PRG-AMS")} == {SPEC.number}
    with pytest.raises(UnknownName):
        links.find("AMS")
