"""The wire as its lab sees it: how its daemon is started, and found dead. No root."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links import htb
from lab.emulation.links.link import LinkState, Shape
from lab.emulation.ownership import Process
from lab.emulation.wire import daemon, iptables, protocol, wire
from lab.errors import CommandError, ShaperError
from lab.hosts.host import Result


def test_the_process_is_started_inside_and_found_by_nobody_else(tmp_path: Path) -> None:
    argv = wire.start_command("lab-x", tmp_path)

    assert argv == [
        *("nsenter", "--net=/run/netns/lab-x", sys.executable, "-P", "-S", "-m", "lab.emulation.wire.daemon"),
        *(str(tmp_path), "/run/netns/lab-x"),
    ]


async def test_a_dead_process_is_one_sentence(tmp_path: Path) -> None:
    shaper = wire.Wire("x", tmp_path)
    (tmp_path / "wire.json").write_text('{"pid": 999999999, "started": 5, "variant": "nft", "lead": 0}')

    with pytest.raises(ShaperError, match=r"wire of lab x \(process 999999999\) does not answer"):
        await shaper.check()
    await shaper.close()
    assert shaper.processes == ()


class Daemon:
    """Answers in place of the wire's daemon, and of the commands beside it."""

    def __init__(self, refused: str = "never") -> None:
        self.refused, self.asked = refused, list[dict[str, Any]]()
        self.told: list[tuple[list[str], str]] = []

    def ask(self, folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(dict(request))
        return {"cpu_seconds": 1, "looks": 2, "realtime": True, "more": 3}

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> Result:
        self.told.append((list(argv[2:] if argv[0] == "nsenter" else argv), stdin.decode()))
        if self.refused in stdin.decode():
            self.refused = "never"
            raise CommandError("this machine", argv, 1, "", "no")
        return Result(tuple(argv), 0, "1\n" * len(wire.probe.BRIDGED) if "cat" in argv else "", "", 0.0)


LINE = LinkState("A-B", 5, Shape(10.0, rate=50.0), Shape(20.0), "/a", "/b", "eth1", "eth2")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One family, and no processor to steer anything to."""
    monkeypatch.setattr(wire.iptables, "families", lambda: (4,))

    async def steer(links: Any, run: Any) -> int | None:
        return 3

    monkeypatch.setattr(wire.rps, "steer", steer)


def made(folder: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> wire.Wire:
    monkeypatch.setattr(wire, "ask", daemon.ask)
    (folder / "wire.json").write_text('{"pid": 999999999, "started": 5, "variant": "nft", "lead": 40}')
    return wire.Wire("x", folder, daemon.run)


async def test_a_queue_is_there_before_packets_come_to_it_and_after_they_cease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: None
) -> None:
    daemon = Daemon()
    shaper = made(tmp_path, daemon, monkeypatch)
    await shaper._add([LINE], {LINE.name: LINE})
    assert daemon.told[0] == (
        ["tc", "-batch", "-"],
        "".join(f"{line}\n" for d in ("ab", "ba") for line in htb.add_commands(LINE, d, "root")),
    )
    assert daemon.asked == [{"do": "move", "cpu": 3}, protocol.request([LINE], 40)]
    assert daemon.told[-1][0] == iptables.amend("nft", 4)
    assert "--queue-num 10" in daemon.told[-1][1]
    daemon.asked.clear()
    await shaper.remove([LINE.name])
    assert daemon.asked == [protocol.request([LINE], 40), protocol.request([], 40)]
    assert daemon.told[-1][1].count("-D FORWARD") == 2
    assert dict(shaper.states) == {}


async def test_a_rate_that_is_refused_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: None
) -> None:
    daemon = Daemon(refused="7000kbit")
    shaper = made(tmp_path, daemon, monkeypatch)
    after = LINE.changed(("ab",), rate=7.0)
    with pytest.raises(CommandError):
        await shaper._replace(LINE, after, {LINE.name: after})
    lines = [line for d in ("ab", "ba") for line in htb.rate_commands("change", LINE, d)]
    assert daemon.told[-1] == (["tc", "-batch", "-"], "".join(f"{line}\n" for line in lines))
    assert (daemon.asked, dict(shaper.states)) == ([], {})


async def test_what_the_wire_itself_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shaper = made(tmp_path, Daemon(), monkeypatch)
    assert await shaper.cost() == {"cpu_seconds": 1.0, "looks": 2.0, "realtime": 1.0}


async def test_bridges_that_pass_packets_round_the_wire_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaper = made(tmp_path, Daemon(), monkeypatch)
    await shaper._check_bridges()

    async def run(argv: Sequence[str], **_: Any) -> Result:
        return Result(tuple(argv), 0, "1\n" * (len(wire.probe.BRIDGED) - 1) + "0\n", "", 0.0)

    shaper._run = run
    with pytest.raises(ShaperError, match="of lab-x was changed to 0: packets pass its links without delay"):
        await shaper._check_bridges()


@pytest.mark.parametrize("stubborn", [False, True])
async def test_the_daemon_is_ended_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.2)
    script = "trap '' TERM; echo; while :; do sleep 0.05; done" if stubborn else "echo; exec sleep 60"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as other:  # noqa: ASYNC220
        assert other.stdout is not None
        other.stdout.readline()
        shaper, process = made(tmp_path, Daemon(), monkeypatch), Process.of(other.pid)
        (tmp_path / "wire.json").write_text(f'{{"pid": {process.pid}, "started": {process.started}}}')
        assert shaper.processes == (process,)
        await shaper.close()
        await shaper.close()
        assert not process.alive()
    assert other.returncode == (-9 if stubborn else -15)
    assert shaper.processes == ()


async def test_a_wire_that_cannot_be_had_is_a_sentence_and_no_table_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def try_out(run: Any, **_: Any) -> dict[str, Any]:
        return {"reason": "it does not hold packets"}

    daemon = Daemon()
    shaper = made(tmp_path, daemon, monkeypatch)
    monkeypatch.setattr(wire, "try_out", try_out)
    with pytest.raises(ShaperError, match="the wire is not available: it does not hold packets"):
        await shaper.prepare()
    assert daemon.told == [(["tee", *wire.probe.BRIDGED], "1\n")]
    assert await wire.Wire.probe(daemon.run) == "it does not hold packets"


async def test_a_namespace_is_closed_before_its_daemon_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def try_out(run: Any, **_: Any) -> dict[str, Any]:
        return {"variant": "legacy", "lead": 30}

    steps = []

    async def run(argv: Sequence[str], *, stdin: bytes = b"", env: Any = None, **_: Any) -> Result:
        steps.append((argv[2], stdin, env))
        return Result(tuple(argv), 0, f"{os.getpid()}\n", "", 0.0)

    monkeypatch.setattr(wire, "try_out", try_out)
    monkeypatch.setattr(wire.iptables, "families", lambda: (4, 6))
    shaper = wire.Wire("x", tmp_path, run)
    await shaper.prepare()
    tables = [
        ("iptables-legacy-restore", iptables.table([]), None),
        ("ip6tables-legacy-restore", iptables.table([]), None),
    ]
    assert steps[1:3] == tables
    assert steps[3][2] == {"LAB_ID": "x", **wire.netns.OWN_MODULES}
    assert shaper.processes == (Process.of(os.getpid()),)
    assert json.loads((tmp_path / "wire.json").read_text())["lead"] == 30


@pytest.mark.parametrize(
    ("answer", "words"), [({"pid": 7}, ""), ({"error": "no such queue"}, "no such queue")]
)
def test_a_request_is_answered_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], words: str
) -> None:
    asked = []
    # what only root may ask for, as users may
    monkeypatch.setattr(daemon, "SO_SNDBUFFORCE", socket.SO_SNDBUF)

    def serve(server: socket.socket) -> None:
        line = server.accept()[0]
        asked.append(json.loads(line.recv(1 << 16)))
        line.send(json.dumps(answer).encode())
        line.close()

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(tmp_path / daemon.SOCKET))
        server.listen()
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        if words:
            with pytest.raises(ShaperError, match="the wire could not move: no such queue"):
                wire.ask(tmp_path, {"do": "move"})
        else:
            assert wire.ask(tmp_path, {"do": "move"}) == answer
        thread.join(10)
    assert asked == [{"do": "move"}]


async def test_links_are_read_back_from_all_that_holds_their_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaper = made(tmp_path, Daemon(), monkeypatch)
    checked, saved = [], []

    async def shown(namespace: str, links: Any, run: Any) -> Any:
        return ("rates", namespace, [link.name for link in links])

    async def run(argv: Sequence[str], **_: Any) -> Result:
        saved.append(list(argv[2:]))
        return Result(
            tuple(argv), 0, "1\n" * len(wire.probe.BRIDGED) if "cat" in argv else ":FORWARD DROP\n", "", 0
        )

    monkeypatch.setattr(wire.htb, "show", shown)
    monkeypatch.setattr(wire.iptables, "families", lambda: (4, 6))
    monkeypatch.setattr(wire.protocol, "read_shape", lambda *given: checked.append(given) or given[1])
    monkeypatch.setattr(
        wire.protocol, "read_counters", lambda link, d, status, rates: (link.name, d, rates[0])
    )
    shaper._run = run  # type: ignore[assignment]
    assert await shaper._read([LINE]) == {"A-B": {"ab": "ab", "ba": "ba"}}
    link, direction, status, rates, tables = checked[0]
    assert (link, direction, status["looks"], rates) == (LINE, "ab", 2, ("rates", "lab-x", ["A-B"]))
    assert [table.policy for table in tables] == ["DROP", "DROP"]
    assert saved[:2] == [iptables.save("nft", 4), iptables.save("nft", 6)]
    assert saved[2] == ["cat", *wire.probe.BRIDGED], "bridges that pass packets round it are looked for"
    shaper._store.save({"A-B": LINE})
    assert await shaper.counters() == {"A-B": {d: ("A-B", d, "rates") for d in ("ab", "ba")}}


async def test_a_wire_that_cannot_be_tried_is_told_with_its_words(tmp_path: Path) -> None:
    asked: list[Any] = []

    async def run(argv: Sequence[str], **options: Any) -> Result:
        asked.append((list(argv), options))
        raise CommandError("this machine", argv, 1, "", "" if len(asked) > 1 else "not permitted\n")

    said = "no network namespace can be made ({}); run it as root"
    assert [await wire.Wire.probe(run) for _ in range(2)] == [
        said.format("not permitted"),
        said.format("no word"),
    ]
    python = [sys.executable, "-P", "-S", "-m", "lab.emulation.wire.probe", "10"]
    assert asked[0] == (["unshare", "--net", *python], {"env": dict(wire.netns.OWN_MODULES)})


async def test_a_lab_without_a_wire_says_so(tmp_path: Path) -> None:
    with pytest.raises(ShaperError, match="the wire of lab x does not run; take the lab down"):
        wire.Wire("x", tmp_path).gauge()


async def test_a_wire_that_got_half_way_has_no_process_and_can_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def try_out(run: Any, **_: Any) -> dict[str, Any]:
        return {"variant": "legacy", "lead": 30}

    async def run(argv: Sequence[str], **_: Any) -> Result:
        if "-restore" in argv[2]:
            raise CommandError("this machine", argv, 1, "", "no table")
        return Result(tuple(argv), 0, "", "", 0.0)

    monkeypatch.setattr(wire, "try_out", try_out)
    shaper = wire.Wire("x", tmp_path, run)
    with pytest.raises(CommandError, match="no table"):
        await shaper.prepare()
    assert shaper.processes == ()
    await shaper.close()


async def test_the_hosts_of_links_that_went_are_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: None
) -> None:
    daemon, limited = Daemon(), list[Any]()
    shaper = made(tmp_path, daemon, monkeypatch)

    async def limit(before: Any, after: Any, run: Any) -> None:
        limited.append(([link.name for link in before], [link.name for link in after]))

    monkeypatch.setattr(wire.gso, "limit", limit)
    other = LinkState("C-D", 6, end_a="/c", end_b="/d")
    await shaper._switch({"A-B": LINE, "C-D": other})
    await shaper._switch({"A-B": LINE})
    assert limited == [([], ["A-B", "C-D"]), (["A-B"], ["A-B"])]
    assert daemon.asked[-1] == protocol.request([LINE], 40)


async def test_rules_that_stay_are_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: None
) -> None:
    daemon = Daemon()
    shaper = made(tmp_path, daemon, monkeypatch)
    await shaper._switch({"A-B": LINE})
    told = len(daemon.told)
    slower = LINE.changed(("ab",), delay=90.0)
    await shaper._switch({"A-B": slower})
    assert (len(daemon.told), daemon.asked[-1]) == (told, protocol.request([slower], 40))
