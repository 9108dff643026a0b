"""Two people on the same hosts: one has them, the other is told who and since when."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lab.errors import HostError, HostsLocked
from lab.testbed import reservation
from lab.testbed.reservation import Holder
from tests.unit.here import Here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The locks' folder, of this test alone."""
    monkeypatch.setattr(reservation, "FOLDER", str(tmp_path / "testbed"))
    monkeypatch.setattr(reservation, "CLAIM", str(tmp_path / "testbed/claim.json"))
    monkeypatch.setattr(reservation, "BUSY", str(tmp_path / "testbed/busy.json"))
    return tmp_path / "testbed"


def held_by(folder: Path, name: str, holder: Holder) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(asdict(holder)))


OTHER = Holder("eva", "desk", "2030-01-02T03:04:05+00:00", "testbed run", 4711, 99)


async def test_free_hosts_are_taken_and_let_go(folder: Path) -> None:
    mine = await reservation.acquire([Here()])
    assert reservation.parse((folder / "claim.json").read_text()) == mine
    await reservation.release([Here()], mine, claim=False)
    assert (folder / "claim.json").exists()
    assert not (folder / "busy.json").exists()
    await reservation.release([Here()], await reservation.acquire([Here()]), claim=True)
    assert not list(folder.iterdir())


async def test_what_another_has_is_refused_by_name_and_left_alone(folder: Path) -> None:
    held_by(folder, "claim", OTHER)
    with pytest.raises(HostsLocked) as caught:
        await reservation.acquire([Here()])
    assert str(caught.value) == (
        "AMS: in use by eva on desk since 2030-01-02T03:04:05+00:00 (testbed run); ask eva, or take it over "
        "with --steal"
    )
    assert reservation.parse((folder / "claim.json").read_text()) == OTHER
    assert not (folder / "busy.json").exists(), "what was taken a moment ago is given back"


async def test_it_can_be_stolen(folder: Path) -> None:
    held_by(folder, "claim", OTHER)
    mine = await reservation.acquire([Here()], steal=True)
    assert reservation.parse((folder / "claim.json").read_text()) == mine
    assert reservation.parse((folder / "busy.json").read_text()) == mine


async def test_a_second_command_of_the_same_person_is_refused_while_the_first_runs(folder: Path) -> None:
    first = replace(Holder.me("testbed run"), since="2030-01-02T03:04:05+00:00")
    held_by(folder, "claim", first)
    held_by(folder, "busy", first)
    with pytest.raises(HostsLocked, match="testbed run"):
        await reservation.acquire([Here()])


async def test_a_command_that_was_killed_holds_nothing(folder: Path) -> None:
    dead = replace(Holder.me("testbed run"), since="2030-01-02T03:04:05+00:00", started=1)
    held_by(folder, "claim", dead)
    held_by(folder, "busy", dead)
    mine = await reservation.acquire([Here()])
    assert reservation.parse((folder / "busy.json").read_text()) == mine


async def test_a_lock_that_was_stolen_is_not_let_go_by_the_loser(folder: Path) -> None:
    mine = await reservation.acquire([Here()])
    held_by(folder, "busy", OTHER)
    await reservation.release([Here()], mine, claim=True)
    assert (folder / "claim.json").exists()
    assert reservation.parse((folder / "busy.json").read_text()) == OTHER


async def test_no_room_for_a_lock_is_said_so(folder: Path) -> None:
    folder.write_text("a file, where the folder should be")
    with pytest.raises(HostError, match="is its disk full"):
        await reservation.acquire([Here()])
