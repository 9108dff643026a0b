"""A run on a lab that is up: planned for what the lab has, and taking nothing of it away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab import catalog
from lab.app.attached import plan_attached
from lab.app.request import RunRequest
from lab.errors import RunError, UnknownName
from lab.topology import Topology


class FakeSession:
    """A lab that is up, with these overlays."""

    def __init__(self, *specs: str) -> None:
        self.specs, self.lab = specs, SimpleNamespace(name="class")

    def topology_now(self) -> Topology:
        return catalog.topology("linear").with_rate(33)


def plan(session: FakeSession, **more: Any) -> Any:
    return plan_attached(RunRequest("multihop", **more), session)  # type: ignore[arg-type]


def test_the_lab_s_own_overlays_are_measured_and_stay() -> None:
    planned = plan(FakeSession("underlay"))

    assert list(planned.overlays) == ["underlay"]
    assert planned.keep_installed == {"underlay"}


def test_another_overlay_that_was_named_comes_and_goes() -> None:
    planned = plan(FakeSession("tinc"), overlays=("underlay",))

    assert list(planned.overlays) == ["underlay"]
    assert planned.keep_installed == frozenset()


def test_links_and_hosts_are_as_the_lab_has_them() -> None:
    planned = plan(FakeSession("underlay"))

    assert {link.rate for link in planned.topology.links} == {33}
    assert (planned.profile.rate, planned.profile.cpus) == (None, None)
    assert planned.conditions().startswith("the topology's own rates (as lab class has them); quick measures")


def test_what_leaves_nothing_to_measure_is_refused() -> None:
    with pytest.raises(RunError, match="no cell of multihop has 'tpc'"):
        plan(FakeSession("underlay"), only=("tpc",))
    with pytest.raises(UnknownName, match="profile"):
        plan(FakeSession("underlay"), profile="quik")
