"""How long is waited on a slow machine."""

from __future__ import annotations

import pytest

from lab.errors import HostTimeout, UsageError
from lab.hosts import command
from lab.util.patience import VARIABLE, patient


@pytest.mark.parametrize("given", ["0", "-1", "ten", "inf", "nan"])
def test_a_patience_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(UsageError, match="is no positive number"):
        patient(1.0)


async def test_commands_have_as_much_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert command.with_deadline(["true"], 60)[3] == "60"
    monkeypatch.setenv(VARIABLE, "0.001")
    with pytest.raises(HostTimeout, match=r"after 0\.06 s"):
        await command.run(["sleep", "60"])
    monkeypatch.setenv(VARIABLE, "20")
    assert command.with_deadline(["true"], 60)[3] == "1200"
