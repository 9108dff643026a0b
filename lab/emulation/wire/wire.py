"""The wire: delays packets where the kernel has no netem, by holding them in netfilter queues.

Packets of a link wait in a queue behind its bridge until the wire's process (`wired`)
releases them; rate and loss are the kernel's work. It never fails open: a full queue or a
dead process drops.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lab.emulation import memory
from lab.emulation.links import gso, htb, netns, readback
from lab.emulation.links.link import DIRECTIONS, PARAMETERS, LinkState, Shape
from lab.emulation.links.shaper import Counters, refuse
from lab.emulation.links.store import LinkStore
from lab.emulation.ownership import Process
from lab.emulation.wire import daemon, iptables, probe, protocol, rps
from lab.errors import CommandError, ShaperError
from lab.hosts import command as process
from lab.hosts.command import RunCommand

#: The wire's process starts without site-packages, in a tenth of the time; this is where it finds the lab.
OWN_MODULES = {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
ANSWER_SECONDS = 10.0


def start_command(lab_namespace: str, folder: Path) -> list[str]:
    """The argv that starts the wire's process; it returns when the wire takes requests."""
    python = [sys.executable, "-S", "-m", "lab.emulation.wire.daemon", str(folder), netns.path(lab_namespace)]
    return netns.inside(lab_namespace, python)


async def trial(run: RunCommand, frames: int = probe.FRAMES) -> dict[str, Any]:
    """Try a wire for real; returns ``variant`` and ``lead`` (ns), or a ``reason`` why it cannot be had.

    Raises:
        CommandError: not even a namespace can be made.
    """
    argv = ["unshare", "--net", sys.executable, "-S", "-m", "lab.emulation.wire.probe", str(frames)]
    finding: dict[str, Any] = json.loads((await run(argv, env=OWN_MODULES)).stdout)
    return finding


def ask(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One request to a wire's process and its answer.

    Raises:
        OSError: nobody answers.
        ShaperError: the wire could not do it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(ANSWER_SECONDS)
        client.setsockopt(socket.SOL_SOCKET, daemon.SO_SNDBUFFORCE, daemon.LARGEST)
        client.connect(str(folder / daemon.SOCKET))
        client.send(json.dumps(asked).encode())
        answer: dict[str, Any] = json.loads(client.recv(daemon.LARGEST))
    if "error" in answer:
        raise ShaperError(f"the wire could not {asked['do']}: {answer['error']}")
    return answer


class Wire:
    """The shaper of one lab where the kernel has no netem; see `lab.emulation.links.shaper.Shaper`."""

    name: ClassVar[str] = "wire"
    can: ClassVar[frozenset[str]] = frozenset(PARAMETERS) - {"duplicate", "corrupt"}

    def __init__(self, lab_id: str, folder: Path, run: RunCommand = process.run) -> None:
        self.lab_id, self._folder, self._run = lab_id, folder, run
        self._namespace = f"lab-{lab_id}"
        self._asked = LinkStore(folder)
        self._facts = folder / "wire.json"

    @classmethod
    async def probe(cls, run: RunCommand = process.run) -> str | None:
        """Send packets through a wire, alive and killed, in a namespace that goes with the command."""
        try:
            finding = await trial(run, frames=10)
        except CommandError as error:
            return f"no network namespace can be made ({error.stderr.strip() or 'no word'}); run it as root"
        return finding.get("reason")

    @property
    def lines(self) -> Mapping[str, LinkState]:
        return self._asked.lines

    def first(self, link: str) -> LinkState:
        return self._asked.find(link, first=True)

    @property
    def processes(self) -> tuple[Process, ...]:
        try:
            facts = self._known()
            return (Process(facts["pid"], facts["started"]),)
        except ShaperError:
            return ()

    async def prepare(self) -> None:
        """Drop everything in the lab's namespace that no rule names, and start the process."""
        await self._run(netns.inside(self._namespace, ["tee", *probe.BRIDGED]), stdin=b"1\n")
        finding = await trial(self._run)
        if "reason" in finding:
            raise ShaperError(f"the wire cannot be had: {finding['reason']}")
        self._know(**finding)
        for family in iptables.families():
            argv = netns.inside(self._namespace, iptables.restore(finding["variant"], family))
            await self._run(argv, stdin=iptables.table([]))
        started = await self._run(
            start_command(self._namespace, self._folder),
            env={"LAB_ID": self.lab_id, **OWN_MODULES},
        )
        found = Process.of(int(started.stdout))
        self._know(**finding, pid=found.pid, started=found.started)

    async def apply(self, lines: Sequence[LinkState]) -> None:
        refuse(Wire, lines)
        async with self._asked.alone():
            await self._apply(lines)

    async def _apply(self, lines: Sequence[LinkState]) -> None:
        memory.hold({**self.lines, **{line.name: line for line in lines}}.values())
        adds = [command for line in lines for d in DIRECTIONS for command in htb.add(line, d, "root")]
        await htb.carry_out(self._namespace, adds, self._run)
        if (cpu := await rps.steer(lines, self._run)) is not None:
            await self._talk({"do": "move", "cpu": cpu})
        await self._turn({**self.lines, **{line.name: line for line in lines}})
        await self._compare(lines)

    async def change(self, link: str, *, directions: Sequence[str] = DIRECTIONS, **params: Any) -> LinkState:
        async with self._asked.alone():
            line = self._asked.find(link).changed(tuple(directions), **params)
            refuse(Wire, [line])
            await self._put(line)
        return line

    async def put(self, line: LinkState) -> None:
        async with self._asked.alone():
            await self._put(line)

    async def _put(self, line: LinkState) -> None:
        """From one state of a link to another; one whose rates cannot be set is undone."""
        before = self._asked.find(line.name)
        memory.hold({**self.lines, line.name: line}.values())
        try:
            await self._rates(line)
        except CommandError:
            await self._rates(before)
            raise
        await self._turn({**self.lines, line.name: line})
        await self._compare([line])

    async def _rates(self, line: LinkState) -> None:
        changes = [command for d in DIRECTIONS for command in htb.change(line, d)]
        await htb.carry_out(self._namespace, changes, self._run)

    async def read_back(self, link: str) -> Mapping[str, Shape]:
        line = self._asked.find(link)
        return (await self._compare([line]))[link]

    async def check(self) -> None:
        async with self._asked.alone():  # no link is half changed meanwhile
            await self._compare(list(self.lines.values()))

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        lines = list(self.lines.values())
        status, rates = await self._status(), await htb.show(self._namespace, lines, self._run)
        return {line.name: {d: protocol.count(line, d, status, rates) for d in DIRECTIONS} for line in lines}

    async def cost(self) -> Mapping[str, float]:
        status = await self._status()
        return {name: float(status[name]) for name in ("cpu_seconds", "looks", "realtime")}

    async def remove(self, links: Sequence[str]) -> None:
        async with self._asked.alone():
            await self._turn({name: line for name, line in self.lines.items() if name not in links})

    async def close(self) -> None:
        """End the wire's process and wait until it has gone."""
        for found in self.processes:
            if found.alive():
                os.kill(found.pid, 15)
            deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
            while found.alive():
                if asyncio.get_running_loop().time() > deadline:
                    os.kill(found.pid, 9)
                await asyncio.sleep(0.002)
        self._facts.unlink(missing_ok=True)

    def _know(self, **facts: Any) -> None:
        self._facts.write_text(json.dumps(facts))

    def _known(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self._facts.read_text())
        except FileNotFoundError:
            raise ShaperError(f"the wire of lab {self.lab_id} does not run; take the lab down") from None
        return facts

    async def _turn(self, lines: Mapping[str, LinkState]) -> None:
        """From the lines that are asked to others: the process holds a queue before packets come to it."""
        before = self.lines
        self._asked.begin(lines)
        kept = [line for name, line in before.items() if name in lines]
        await gso.cut(kept, lines.values(), self._run)
        await self._talk(protocol.request(list({**before, **lines}.values()), self._known()["lead"]))
        if amendment := iptables.difference(before.values(), lines.values()):
            for family in iptables.families():
                argv = iptables.amend(self._known()["variant"], family)
                await self._run(netns.inside(self._namespace, argv), stdin=amendment)
        if set(before) - set(lines):
            await self._talk(protocol.request(list(lines.values()), self._known()["lead"]))

    async def _status(self) -> dict[str, Any]:
        return await self._talk({"do": "status"})

    async def _talk(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(ask, self._folder, asked)
        except OSError as error:
            raise ShaperError(
                f"the wire of lab {self.lab_id} (process {self._known().get('pid')}) does not answer "
                f"({error}), and its links drop every packet; take the lab down"
            ) from error

    async def _compare(self, lines: Sequence[LinkState]) -> dict[str, dict[str, Shape]]:
        """What lines read back as, having been compared with what was asked."""
        status, rates = await self._status(), await htb.show(self._namespace, lines, self._run)
        tables = [await self._table(family) for family in iptables.families()]
        await self._bridged()
        got = {
            line.name: {d: protocol.shape(line, d, status, rates, tables) for d in DIRECTIONS}
            for line in lines
        }
        for line in lines:
            for direction in DIRECTIONS:
                readback.same(line, direction, got[line.name][direction])
        return got

    async def _table(self, family: int) -> iptables.Rules:
        argv = iptables.save(self._known()["variant"], family)
        return iptables.parse((await self._run(netns.inside(self._namespace, argv))).stdout)

    async def _bridged(self) -> None:
        found = await self._run(netns.inside(self._namespace, ["cat", *probe.BRIDGED]))
        for path, value in zip(probe.BRIDGED, found.stdout.split(), strict=True):
            if value != "1":
                raise ShaperError(
                    f"{Path(path).name} of {self._namespace} was changed to {value}: packets pass its links "
                    f"without delay; take the lab down"
                )
