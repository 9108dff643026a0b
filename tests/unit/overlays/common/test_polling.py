"""Waiting for a state, with a deadline."""

from __future__ import annotations

import pytest

from lab.errors import OverlayError
from overlays.common import polling


async def test_a_state_is_asked_for_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "INTERVAL", 0.001)
    said = ["no peer", "one peer", ""]

    async def probe() -> str:
        return said.pop(0)

    await polling.until(probe, 20, "peers")
    assert said == []


async def test_a_state_that_does_not_come_is_told_with_its_last_reason() -> None:
    async def probe() -> str:
        return "x" * 700

    with pytest.raises(OverlayError) as caught:
        await polling.until(probe, 0, "peers")
    assert str(caught.value) == f"peers did not come within 0 s: {'x' * 600}"
