"""A lab that is up, taken up by its record; and one that is not up."""

from __future__ import annotations

import pytest

from lab.emulation.emulation import Emulation
from lab.emulation.ownership import LabState
from lab.emulation.registry import claim
from lab.errors import LabError
from tests.unit.lab_record import a_lab
from topologies import ring

pytestmark = pytest.mark.usefixtures("own_folders")


def test_another_process_takes_a_lab_up_with_all_that_it_has() -> None:
    made = a_lab()
    lab = Emulation.attach("class")
    assert lab.topology == ring.topology().pinned()
    assert list(lab.hosts) == [host.name for host in made.hosts]
    assert lab.hosts["AMS"].addresses == ring.topology().addresses("AMS")
    assert tuple(lab.links) == ring.topology().links
    assert lab.shaper.name == "netem"


def test_what_a_lab_has_while_it_is_up_is_refused_before() -> None:
    lab = Emulation()
    assert (lab.is_up, lab.hosts, lab.links) == (False, {}, [])
    for part in ("record", "state", "shaper", "lab_id", "pids"):
        with pytest.raises(LabError, match="this lab is not up; start it first"):
            getattr(lab, part)


def test_a_lab_without_links_says_so_where_they_are_asked_for() -> None:
    claim(LabState.create().lab_id, "class")
    lab = Emulation.attach("class")
    assert (lab.is_up, lab.links, lab.running.link_states) == (True, [], {})
    with pytest.raises(LabError, match="lab class has no links"):
        lab.running_links()
    with pytest.raises(LabError, match="lab class has no links"):
        lab.shaper  # noqa: B018


def test_the_links_of_a_running_lab_are_found_by_their_hosts() -> None:
    a_lab()
    lab = Emulation.attach("class")
    link = lab.links[0]
    assert lab.link(link.b, link.a) == lab.link(link.name) == lab.running_links().find(link.name) == link
