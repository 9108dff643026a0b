"""lab up: what it refuses of a lab that is up already."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.util import paths
from tests.unit.command_line import Lab
from tests.unit.lab_record import a_lab


def test_a_lab_that_is_up_keeps_its_kind_of_hosts(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr("lab.util.locks.STATE", tmp_path / "state")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    a_lab("class")
    status, _, errors = lab("up", "ring", "--name", "class", "--dry-run", "--daemons", "none")
    assert status == 1
    assert "lab class was made with --daemons docker, which cannot change" in " ".join(errors.split())


def test_a_dry_run_names_the_overlays_too(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "RUN", tmp_path / "run")
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    status, out, _ = lab("up", "point_to_point", "--lab", "class", "--dry-run", "--overlay", "tinc")
    assert (status, out) == (0, "lab class would be made: 2 hosts, 1 link\n+ overlay tinc\n")
