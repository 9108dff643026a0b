"""lab doctor: the overlays, and the exit status."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lab import doctor
from lab.cli import doctor as verb
from lab.cli.main import app
from lab.doctor import Finding
from lab.errors import ExitCode
from overlays import registry
from overlays.flannel import flanneld
from overlays.weave import router


def test_an_overlay_is_obtainable_to_the_doctor_as_it_is_to_the_list_of_overlays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flanneld, "here", lambda: True)  # it can be built
    monkeypatch.setattr(router, "program", lambda: None)
    found = {f.name: f for f in verb.overlays()}
    assert set(found) == {f"overlay {name}" for name in registry.names()}
    for name in registry.names():
        missing = registry.load(name).obtainable()
        assert found[f"overlay {name}"].state == ("optional" if missing else "ok")
    assert found["overlay flannel"].found == "obtainable here"
    assert found["overlay weave"].remedy == router.REMEDY


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["ok", "optional"], ExitCode.DONE),
        (["ok", "missing", "unknown"], ExitCode.FAILED),
        (["ok", "unknown"], ExitCode.CANNOT_TELL),
    ],
)
def test_the_status_says_if_a_lab_can_be_built_or_if_only_root_can_tell(
    monkeypatch: pytest.MonkeyPatch, states: list[doctor.State], status: ExitCode
) -> None:
    async def examine() -> list[Finding]:
        return [Finding("x", state, doctor.NEEDS_ROOT if state == "unknown" else "y") for state in states]

    monkeypatch.setattr(doctor, "examine", examine)
    monkeypatch.setattr(router, "program", lambda: None)
    assert CliRunner().invoke(app, ["doctor"]).exit_code == status
