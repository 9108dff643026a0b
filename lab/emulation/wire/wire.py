"""The wire: delays packets where the kernel has no netem, by holding them in netfilter queues.

Packets of a link wait in a queue behind its bridge until the wire's daemon releases them; rate
and loss are the kernel's work. It never fails open: a full queue or a dead daemon drops.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lab.emulation.links import gso, htb, netns
from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.emulation.links.shaper import Shaper, Shapes
from lab.emulation.ownership import LabState, Process
from lab.emulation.wire import iptables, probe, protocol, rps
from lab.emulation.wire.ask import ANSWER_SECONDS, ask
from lab.emulation.wire.gauge import WireGauge
from lab.errors import CommandError, ShaperError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.measure.link_counters import Counters


def start_command(lab_namespace: str, folder: Path) -> list[str]:
    """Return the argv that starts the wire's daemon; it returns when the wire takes requests."""
    python = [sys.executable, "-P", "-S", "-m", "lab.emulation.wire.daemon"]
    return netns.inside(lab_namespace, [*python, str(folder), netns.path(lab_namespace)])


async def try_out(
    run: RunCommand, frames: int = probe.FRAMES, marked: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Test a real wire; return ``variant`` and ``lead`` (ns), or a ``reason`` why it is not available.

    `marked` is the variable by which the clean-up of a lab finds the attempt.

    Raises:
        CommandError: not even a namespace can be made.
    """
    argv = ["unshare", "--net", sys.executable, "-P", "-S", "-m", "lab.emulation.wire.probe", str(frames)]
    facts: dict[str, Any] = json.loads((await run(argv, env={**netns.OWN_MODULES, **(marked or {})})).stdout)
    return facts


class Wire(Shaper):
    """The shaper of one lab where the kernel has no netem."""

    name: ClassVar[str] = "wire"

    def __init__(self, lab_id: str, folder: Path, run: RunCommand = command.run) -> None:
        super().__init__(lab_id, folder, run)
        self._folder, self._facts = folder, folder / "wire.json"

    @classmethod
    async def probe(cls, run: RunCommand = command.run) -> str | None:
        """Send packets through a wire, alive and killed, in a namespace that goes with the command."""
        try:
            facts = await try_out(run, frames=10)
        except CommandError as error:
            return f"no network namespace can be made ({error.stderr.strip() or 'no word'}); run it as root"
        return facts.get("reason")

    @property
    def processes(self) -> tuple[Process, ...]:
        """The wire's daemon, where one was started."""
        try:
            facts = self._read_facts()
            return (Process(facts["pid"], facts["started"]),)
        except ShaperError:
            return ()

    @property
    def _marked(self) -> Mapping[str, str]:
        """The variable by which clean-up finds what was started here."""
        return LabState(self.lab_id).environment

    async def prepare(self) -> None:
        """Drop everything in the lab's namespace that no rule names, and start the daemon."""
        await self._run(netns.inside(self._namespace, ["tee", *probe.BRIDGED]), stdin=b"1\n")
        facts = await try_out(self._run, marked=self._marked)
        if "reason" in facts:
            raise ShaperError(f"the wire is not available: {facts['reason']}")
        for family in iptables.families():
            argv = netns.inside(self._namespace, iptables.restore(facts["variant"], family))
            await self._run(argv, stdin=iptables.table([]))
        started = await self._run(
            start_command(self._namespace, self._folder),
            env={**self._marked, **netns.OWN_MODULES},
        )
        process = Process.of(int(started.stdout))
        self._facts.write_text(json.dumps({**facts, "pid": process.pid, "started": process.started}))

    async def _add(self, links: Sequence[LinkState], states: Mapping[str, LinkState]) -> None:
        lines = [line for link in links for d in DIRECTIONS for line in htb.add_commands(link, d, "root")]
        await netns.batch("tc", self._namespace, lines, self._run)
        if (cpu := await rps.steer(links, self._run)) is not None:
            await self._ask({"do": "move", "cpu": cpu})
        await self._switch(states)

    async def _replace(self, before: LinkState, after: LinkState, states: Mapping[str, LinkState]) -> None:
        try:
            await self._set_rates(after)
        except CommandError:
            await self._set_rates(before)
            raise
        await self._switch(states)

    async def _set_rates(self, link: LinkState) -> None:
        lines = [line for d in DIRECTIONS for line in htb.rate_commands("change", link, d)]
        await netns.batch("tc", self._namespace, lines, self._run)

    async def _read(self, links: Sequence[LinkState]) -> Shapes:
        status, rates = await self._status(), await htb.show(self._namespace, links, self._run)
        tables = [await self._table(family) for family in iptables.families()]
        await self._check_bridges()
        return {
            link.name: {d: protocol.read_shape(link, d, status, rates, tables) for d in DIRECTIONS}
            for link in links
        }

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        links = list(self.states.values())
        status, rates = await self._status(), await htb.show(self._namespace, links, self._run)
        return {
            link.name: {d: protocol.read_counters(link, d, status, rates) for d in DIRECTIONS}
            for link in links
        }

    def gauge(self) -> WireGauge:
        return WireGauge(self._namespace, self._folder, int(self._read_facts()["pid"]))

    async def cost(self) -> Mapping[str, float]:
        status = await self._status()
        return {name: float(status[name]) for name in ("cpu_seconds", "looks", "realtime")}

    async def close(self) -> None:
        """End the wire's daemon and wait until it has gone."""
        for process in self.processes:
            if process.alive():
                process.kill(signal.SIGTERM)
            deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
            while process.alive():
                if asyncio.get_running_loop().time() > deadline:
                    process.kill()
                await asyncio.sleep(0.002)
        self._facts.unlink(missing_ok=True)

    def _read_facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self._facts.read_text())
        except FileNotFoundError:
            raise ShaperError(f"the wire of lab {self.lab_id} does not run; take the lab down") from None
        return facts

    async def _switch(self, states: Mapping[str, LinkState]) -> None:
        """Store other states and apply them: the daemon holds a queue before packets arrive in it."""
        before = self.states
        await super()._switch(states)
        kept = [link for name, link in before.items() if name in states]
        await gso.limit(kept, states.values(), self._run)
        facts = self._read_facts()
        await self._ask(protocol.request({**before, **states}.values(), facts["lead"]))
        if amendment := iptables.difference(before.values(), states.values()):
            for family in iptables.families():
                argv = iptables.amend(facts["variant"], family)
                await self._run(netns.inside(self._namespace, argv), stdin=amendment)
        if set(before) - set(states):
            await self._ask(protocol.request(states.values(), facts["lead"]))

    async def _status(self) -> dict[str, Any]:
        return await self._ask({"do": "status"})

    async def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(ask, self._folder, request)
        except OSError as error:
            raise ShaperError(
                f"the wire of lab {self.lab_id} (process {self._read_facts().get('pid')}) does not answer "
                f"({error}), and its links drop every packet; take the lab down"
            ) from error

    async def _table(self, family: int) -> iptables.Rules:
        argv = iptables.save(self._read_facts()["variant"], family)
        return iptables.parse((await self._run(netns.inside(self._namespace, argv))).stdout)

    async def _check_bridges(self) -> None:
        values = await self._run(netns.inside(self._namespace, ["cat", *probe.BRIDGED]))
        for path, value in zip(probe.BRIDGED, values.stdout.split(), strict=True):
            if value != "1":
                raise ShaperError(
                    f"{Path(path).name} of {self._namespace} was changed to {value}: packets pass its links "
                    f"without delay; take the lab down"
                )
