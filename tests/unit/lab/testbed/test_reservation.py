"""Two people on the same hosts: one has them, the other is told who and since when."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from lab.emulation.ownership import start_time
from lab.errors import HostError, HostsLocked
from lab.hosts.host import Result
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
        "with --take-over"
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


class Told:
    """A host that writes down what it is to do, and has these locks."""

    def __init__(self, name: str, claim: Holder, busy: Holder) -> None:
        self.name, self.ran = name, list[tuple[list[str], str, bool]]()
        self.locks = f"{json.dumps(asdict(claim))}\n{json.dumps(asdict(busy))}"

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", check: bool = True, **_: Any) -> Result:
        self.ran.append((list(argv), stdin.decode(), check))
        return Result(tuple(argv), 0, self.locks, "", 0.0)


async def test_a_lock_that_cannot_be_taken_over_is_an_error_and_not_passed_by() -> None:
    host = Told("AMS", OTHER, OTHER)
    mine = await reservation.acquire([host], steal=True)
    text = shlex.quote(json.dumps(asdict(mine)))
    written = "".join(f"printf %s {text} > {file}\n" for file in (reservation.CLAIM, reservation.BUSY))
    assert host.ran[1:] == [(["sh", "-e"], written, True)]


async def test_a_dead_command_of_mine_leaves_the_claim_and_only_the_run_is_written_anew() -> None:
    dead = replace(Holder.me("testbed run"), since="2030-01-02T03:04:05+00:00", pid=1 << 22, started=5)
    assert dead.dead()
    assert not Holder.me().dead()
    assert not replace(dead, machine="elsewhere").dead(), "nobody can tell from here"
    host = Told("AMS", dead, dead)
    await reservation.acquire([host])
    assert host.ran[1][1].count("printf") == 1
    assert f"> {reservation.BUSY}" in host.ran[1][1]


async def test_all_hosts_that_are_in_use_are_counted() -> None:
    hosts = [Told(name, OTHER, OTHER) for name in ("AMS", "PRG", "BRA")]
    with pytest.raises(HostsLocked, match="AMS and 2 more: in use by eva on desk"):
        await reservation.acquire(hosts)
    assert [len(host.ran) for host in hosts] == [1, 1, 1], "nothing was taken that has to go again"


def test_the_start_of_a_process_is_the_kernels_and_that_of_none_is_0() -> None:
    assert reservation._start_time(os.getpid()) == start_time(os.getpid())
    assert reservation._start_time(1 << 22) == 0
    with subprocess.Popen(
        ["sh", "-c", "printf 'a) b' > /proc/$$/comm; read x"], stdin=subprocess.PIPE
    ) as odd:
        deadline = monotonic() + 10
        while ") b" not in Path(f"/proc/{odd.pid}/comm").read_text():
            assert monotonic() < deadline
        assert reservation._start_time(odd.pid) == start_time(odd.pid)
        odd.communicate(b"\n")


@pytest.mark.parametrize(
    ("claim", "busy", "keeper"),
    [
        (None, None, None),
        (OTHER, None, OTHER),
        (OTHER, replace(OTHER, pid=1), OTHER),
        (None, OTHER, OTHER),
        (Holder.me(), OTHER, OTHER),
        (Holder.me(), None, None),
    ],
)
def test_another_person_or_another_command_that_runs_keeps_a_host(
    claim: Holder | None, busy: Holder | None, keeper: Holder | None
) -> None:
    mine = Holder.me("testbed run")
    assert reservation._other(mine, {reservation.CLAIM: claim, reservation.BUSY: busy}) == keeper
    assert reservation._other(mine, {reservation.CLAIM: claim, reservation.BUSY: mine}) == (
        keeper if claim is OTHER else None
    )


@pytest.mark.parametrize(
    ("status", "out", "err", "words"),
    [
        (1, "", "sh: one\nsh: no space\n", "no lock can be written to .*: sh: no space; is its disk full"),
        (1, "", "", ".*: it said nothing; is its disk full"),
        (0, "\nx", "", "the lock in .* is empty"),
        (0, "x\n ", "", "the lock in .* is empty"),
    ],
)
async def test_a_lock_that_was_not_written_is_told(status: int, out: str, err: str, words: str) -> None:
    class Full(Told):
        async def run(self, argv: Sequence[str], *, check: bool = True, **_: Any) -> Result:
            assert not (status and check)
            return Result(tuple(argv), status, out, err, 0.0)

    with pytest.raises(HostError, match=f"AMS: {words}"):
        await reservation.acquire([Full("AMS", OTHER, OTHER)])


async def test_what_is_released_is_asked_of_every_host_and_may_fail() -> None:
    hosts = [Told(name, OTHER, OTHER) for name in ("AMS", "PRG")]
    mine = Holder.me("testbed run")
    await reservation.release(hosts, mine, claim=True)
    await reservation.release(hosts[:1], mine, claim=False)
    (_, both, check), (_, one, _) = hosts[0].ran
    assert f"rm -f {reservation.CLAIM} {reservation.BUSY} || :" in both
    assert f"rm -f {reservation.BUSY} || :" in one
    assert (len(hosts[1].ran), check) == (1, False)


async def test_what_was_taken_on_free_hosts_goes_again_where_another_host_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = Holder.me("testbed run")
    monkeypatch.setattr(Holder, "me", lambda *_: mine)
    free, used = Told("AMS", mine, mine), Told("PRG", OTHER, mine)
    with pytest.raises(HostsLocked, match="PRG: in use by eva"):
        await reservation.acquire([free, used])
    assert free.ran[1][0] == ["rm", "-f", reservation.CLAIM, reservation.BUSY]
    assert used.ran[1][0] == ["rm", "-f", reservation.BUSY]


def test_a_holder_is_told_by_person_machine_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["lab", "testbed", "run", "congestion"])
    me = Holder.me()
    assert (me.command, me.pid, me.started) == ("testbed run", os.getpid(), start_time(os.getpid()))
    assert Holder.me("up").command == "up"
    assert me.words == f"{me.who} on {me.machine} since {me.since} (testbed run)"
    assert me.since.endswith("+00:00")
    assert me.same_person(replace(me, command="x", pid=1))
    assert not me.same_person(replace(me, who="eva"))
    assert not me.same_person(replace(me, machine="desk"))
    assert [one.dead() for one in (me, replace(me, started=1), replace(me, started=1, machine="desk"))] == [
        False, True, False,
    ]  # fmt: skip


async def test_several_hosts_that_another_has_are_counted() -> None:
    hosts = [Told(name, OTHER, OTHER) for name in ("AMS", "PRG", "BRA")]
    with pytest.raises(HostsLocked, match=r"^AMS and 2 more: in use by eva on desk"):
        await reservation.acquire(hosts)


@pytest.mark.parametrize("said", ["\n", "{}\n", "\n{}"])
async def test_a_lock_without_a_word_in_it_is_none(said: str) -> None:
    host = Told("AMS", OTHER, OTHER)
    host.locks = said
    with pytest.raises(HostError, match=r"AMS: the lock in .* is empty: is its disk full"):
        await reservation.acquire([host])


async def test_what_another_person_s_command_holds_is_held_also_when_it_cannot_be_seen_to_live() -> None:
    mine = Holder.me()
    host = Told("AMS", mine, replace(mine, who="eva", started=1))
    with pytest.raises(HostsLocked, match="in use by eva"):
        await reservation.acquire([host])
