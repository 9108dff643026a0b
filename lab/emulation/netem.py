"""netem: the kernel's own network emulator, on the ports where packets leave a lab's namespace.

Past a veth, never on the sender's own interface: there a held packet still counts against
the sender's socket (TCP small queues), and TCP falls to a fraction of the rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lab.emulation import compare, namespaces, segments, tc
from lab.emulation.shape import DIRECTIONS, Line, Shape
from lab.emulation.shaper import Asked, Counters, refuse
from lab.emulation.state import Process
from lab.errors import CommandError, ShaperError
from lab.hosts import process
from lab.hosts.process import Run

#: Packets that one direction holds for their delay; those that wait for the rate are counted apart.
HELD_PACKETS = 100_000
ROOT = "root handle 2:"


def impairment(verb: str, port: str, shape: Shape) -> str:
    """The `tc` line of a direction's delay, jitter and loss; all of them, as `change` may keep the others."""
    words = f"qdisc {verb} dev {port} {ROOT} netem limit {HELD_PACKETS} delay {shape.delay:.6f}ms"
    if shape.jitter:
        words += f" {shape.jitter:.6f}ms distribution normal"
    return words + f" loss random {shape.loss:.6f}%"


def add(line: Line, direction: str) -> list[str]:
    """The `tc` lines of one direction: netem, and in it the rate."""
    first = impairment("add", line.port_out(direction), line.shape(direction))
    return [first, *tc.add(line, direction, "parent 2:1")]


def change(line: Line, direction: str) -> list[str]:
    """The `tc` lines that set one direction anew; packets under way keep their times."""
    return [
        impairment("change", line.port_out(direction), line.shape(direction)),
        *tc.change(line, direction),
    ]


class Netem:
    """The shaper of one lab where the kernel has netem; see `lab.emulation.shaper.Shaper`."""

    name: ClassVar[str] = "netem"
    can: ClassVar[frozenset[str]] = frozenset({"delay", "rate", "loss", "jitter", "queue"})

    def __init__(self, lab_id: str, folder: Path, run: Run = process.run) -> None:
        self.lab_id, self._run = lab_id, run
        self._namespace = f"lab-{lab_id}"
        self._asked = Asked(folder)

    @classmethod
    async def probe(cls, run: Run = process.run) -> str | None:
        """Set a link's disciplines on the loopback of a namespace that goes with the command."""
        line = Line("probe", 1, Shape(1.0, 10.0), Shape())
        todo = [command.replace("dev 1b", "dev lo") for command in add(line, "ab")]
        try:
            await run(["unshare", "--net", "tc", "-batch", "-"], stdin=namespaces.script(todo))
        except CommandError as error:
            said = (error.stderr.strip() or "no word").splitlines()[0]
            return f"this kernel or user cannot have it ({said})"
        return None

    @property
    def lines(self) -> Mapping[str, Line]:
        return self._asked.lines

    @property
    def processes(self) -> tuple[Process, ...]:
        return ()

    async def prepare(self) -> None:
        """Nothing: links are closed until `apply` has read them back."""

    async def apply(self, lines: Sequence[Line]) -> None:
        refuse(Netem, lines)
        self._asked.keep({**self.lines, **{line.name: line for line in lines}})
        await segments.cut([], lines, self._run)
        adds = [command for line in lines for d in DIRECTIONS for command in add(line, d)]
        await tc.carry_out(self._namespace, adds, self._run)
        await self._compare(lines)

    async def change(self, link: str, *, directions: Sequence[str] = DIRECTIONS, **params: Any) -> Line:
        line = self._asked.find(link).changed(tuple(directions), **params)
        refuse(Netem, [line])
        await segments.cut([self.lines[link]], [line], self._run)
        self._asked.keep({**self.lines, link: line})
        changes = [command for d in directions for command in change(line, d)]
        await tc.carry_out(self._namespace, changes, self._run)
        await self._compare([line])
        return line

    async def read_back(self, link: str) -> Mapping[str, Shape]:
        return (await self._compare([self._asked.find(link)]))[link]

    async def check(self) -> None:
        await self._compare(list(self.lines.values()))

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        lines = list(self.lines.values())
        rates = await tc.show(self._namespace, lines, self._run)
        return {line.name: {d: count(line, d, rates) for d in DIRECTIONS} for line in lines}

    async def cost(self) -> Mapping[str, float]:
        return {}

    async def remove(self, links: Sequence[str]) -> None:
        self._asked.keep({name: line for name, line in self.lines.items() if name not in links})

    async def close(self) -> None:
        """Nothing: the disciplines go with the namespace."""

    async def _compare(self, lines: Sequence[Line]) -> dict[str, dict[str, Shape]]:
        rates = await tc.show(self._namespace, lines, self._run)
        got = {line.name: {d: shape(line, d, rates) for d in DIRECTIONS} for line in lines}
        for line in lines:
            for direction in DIRECTIONS:
                compare.same(line, direction, got[line.name][direction])
        return got


def shape(line: Line, direction: str, rates: tc.Rates) -> Shape:
    """What a direction reads back as.

    Raises:
        ShaperError: a discipline is missing, or its queue was cut.
    """
    options = rates.find(line, direction, "netem")["options"]
    if options["limit"] != HELD_PACKETS:
        raise ShaperError(f"{line.name} ({direction}): netem was set to hold {options['limit']} packets")
    delay = options.get("delay", {})
    rate, room = tc.rate_of(rates, line, direction)
    return Shape(
        delay=delay.get("delay", 0.0) * 1e3,
        jitter=delay.get("jitter", 0.0) * 1e3,
        loss=options.get("loss-random", {}).get("loss", 0.0) * 100,
        rate=rate,
        queue=room,
        mtu=line.shape(direction).mtu,
    )


def count(line: Line, direction: str, rates: tc.Rates) -> Counters:
    """What happened in a direction. netem does not tell loss on purpose from lack of room."""
    held, port = (rates.find(line, direction, kind) for kind in ("netem", "htb"))
    full = tc.overflow(rates, line, direction)
    unasked = 0 if line.shape(direction).loss else max(0, held["drops"] - full)
    return Counters(port["packets"], port["bytes"], full, unasked)
