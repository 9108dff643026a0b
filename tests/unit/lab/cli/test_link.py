"""lab link: changes that contradict themselves, and what is shown."""

from __future__ import annotations

import pytest

from lab.cli import link as verb
from lab.emulation.links.link import Wiring
from lab.errors import LabError, UsageError
from tests.unit.lab.emulation.links.test_control import SPEC


@pytest.mark.parametrize(
    ("asked", "link", "said"),
    [
        (verb.LinkChange({"loss": 1}), "", "which link"),
        (verb.LinkChange({"loss": 1}, down=True), "L", "not several"),
        (verb.LinkChange({}, down=True, up=True), "L", "not several"),
        (verb.LinkChange({"delay": 1, "rtt": 2}), "L", "not both"),
        (verb.LinkChange({}, sender="A", reset=True), "L", "as a whole"),
    ],
)
def test_what_contradicts_itself_is_refused(asked: verb.LinkChange, link: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        asked.check(link)
    verb.LinkChange({"loss": 1}, "A").check("L")


def test_a_limit_can_be_taken_away() -> None:
    assert verb.number("rate", "none") is None
    assert verb.number("rate", "1.5") == 1.5
    assert verb.number("rate", "1Gbit") == 1000.0
    assert verb.number("queue", "70000") == 70000
    with pytest.raises(UsageError, match="--rate is a number, as 50 or 1Gbit is, or 'none', not 'fast'"):
        verb.number("rate", "fast")


def test_what_a_running_link_does_is_a_row_per_direction() -> None:
    line = Wiring(SPEC, "a", "b").state.changed(("ba",), loss=2.0, burst=3.0)

    (section,) = verb.table("x", [("AMS", "PRG", line)]).sections

    assert section.rows[0][:7] == ["AMS-PRG", "AMS to PRG", "", "10.875", "200", "–", "–"]
    assert section.rows[1][:7] == ["AMS-PRG", "PRG to AMS", "", "10.875", "200", "2", "3"]
