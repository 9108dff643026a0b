"""The rate of a run that is found before it."""

from __future__ import annotations

from typing import Any

import pytest

from lab.app import capacity
from lab.app.request import AUTO, RunRequest, plan_run
from lab.errors import LabError
from lab.runs.capacity import Capacity, CapacityTrial
from lab.runs.manifest import FOUND


@pytest.mark.parametrize(("rates", "taken"), [((40.0, 31.0), 31.0), ((None, 31.0), None)])
async def test_the_rate_of_a_run_is_what_all_its_overlays_are_carried_at(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[float | None, float], taken: float | None
) -> None:
    known = dict(zip(("underlay", "libnetwork"), rates, strict=True))
    above = CapacityTrial(50.0, "x/tcp", "emulator-bound", ("no CPU was left",))

    async def find(name: str, *_: Any, **__: Any) -> Capacity:
        return Capacity(known[name], above, ())

    monkeypatch.setattr(capacity, "find", find)
    plan = plan_run(RunRequest("multihop", rate=AUTO, overlays=tuple(known)))
    monkeypatch.setattr(type(plan.overlays["libnetwork"]), "obtainable", classmethod(lambda cls: None))
    request = RunRequest("multihop", rate=AUTO)
    if taken is None:
        with pytest.raises(LabError, match="carries no rate on underlay"):
            await capacity.with_found_rate(request, plan, lambda event: None)
        return
    found = await capacity.with_found_rate(request, plan, lambda event: None)
    assert found.profile.rate == taken
    assert {link.rate for link in found.topology.links} == {taken}
    assert found.profile.rate_source == "capacity"
    assert found.profile.why.startswith(FOUND)
    assert "at 50 Mbit/s x/tcp is emulator-bound: no CPU was left" in found.profile.why
