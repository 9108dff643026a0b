"""netem: the kernel's own network emulator, on the ports where packets leave a lab's namespace.

Past a veth, never on the sender's own interface: there a held packet still counts against
the sender's socket (TCP small queues), and TCP falls to a fraction of the rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lab.emulation import memory
from lab.emulation.links import gso, htb, netem_tables, netns, readback
from lab.emulation.links.link import DIRECTIONS, PARAMETERS, LinkState, Shape
from lab.emulation.links.shaper import Counters, refuse
from lab.emulation.links.store import LinkStore
from lab.emulation.ownership import Process
from lab.errors import CommandError, ShaperError
from lab.hosts import command as process
from lab.hosts.command import RunCommand

ROOT = "root handle 2:"
#: A rate of netem's own that nothing reaches. With a rate it lets no packet go before one that came
#: earlier, whatever jitter says; the link's own rate is htb's work.
IN_ORDER = "rate 1000gbit"
#: What tc shows as a share, under its own name.
SHARES = ("duplicate", "corrupt", "reorder")
#: Where tc looks for distributions of jitter, in place of its own folder.
TABLES = "TC_LIB_DIR"


def impairment(verb: str, line: LinkState, direction: str) -> str:
    """The `tc` line of all that netem does to a direction.

    Every parameter is named each time: `change` leaves what is not named as it was.
    """
    shape = line.shape(direction)
    words = f"qdisc {verb} dev {line.port_out(direction)} {ROOT} netem limit {shape.held}"
    words += f" delay {line.imposed(direction):.6f}ms"
    if shape.jitter:
        words += f" {shape.jitter:.6f}ms distribution {shape.distribution}"
    shares = (f"{name} {getattr(shape, name):.6f}%" for name in SHARES)
    return " ".join([words, loss(shape), *shares, IN_ORDER])


def loss(shape: Shape) -> str:
    """The words that lose packets, each by its own chance or in bursts."""
    if shape.gilbert is None:
        return f"loss random {shape.loss:.6f}%"
    begins, ends = shape.gilbert
    return f"loss gemodel {100 * begins:.6f}% {100 * ends:.6f}%"


def add(line: LinkState, direction: str) -> list[str]:
    """The `tc` lines of one direction: netem, and in it the rate."""
    return [impairment("add", line, direction), *htb.add(line, direction, "parent 2:1")]


def change(line: LinkState, direction: str) -> list[str]:
    """The `tc` lines that set one direction anew; packets under way keep their times."""
    return [impairment("change", line, direction), *htb.change(line, direction)]


class Netem:
    """The shaper of one lab where the kernel has netem; see `lab.emulation.links.shaper.Shaper`."""

    name: ClassVar[str] = "netem"
    can: ClassVar[frozenset[str]] = frozenset(PARAMETERS)

    def __init__(self, lab_id: str, folder: Path, run: RunCommand = process.run) -> None:
        self.lab_id, self._folder, self._run = lab_id, folder, run
        self._namespace = f"lab-{lab_id}"
        self._asked = LinkStore(folder)

    @classmethod
    async def probe(cls, run: RunCommand = process.run) -> str | None:
        """Set a link's disciplines on the loopback of a namespace that goes with the command."""
        line = LinkState("probe", 1, Shape(1.0, 10.0), Shape())
        todo = [command.replace("dev 1b", "dev lo") for command in add(line, "ab")]
        try:
            await run(["unshare", "--net", "tc", "-batch", "-"], stdin=netns.script(todo))
        except CommandError as error:
            said = (error.stderr.strip() or "no word").splitlines()[0]
            return f"this kernel or user cannot have it ({said})"
        return None

    @property
    def lines(self) -> Mapping[str, LinkState]:
        return self._asked.lines

    def first(self, link: str) -> LinkState:
        return self._asked.find(link, first=True)

    @property
    def processes(self) -> tuple[Process, ...]:
        return ()

    async def prepare(self) -> None:
        """Nothing: links are closed until `apply` has read them back."""

    async def apply(self, lines: Sequence[LinkState]) -> None:
        refuse(Netem, lines)
        async with self._asked.alone():
            await self._apply(lines)

    async def _apply(self, lines: Sequence[LinkState]) -> None:
        wanted = {**self.lines, **{line.name: line for line in lines}}
        memory.hold(wanted.values())
        self._asked.begin(wanted)
        netem_tables.write(self._folder)
        await gso.cut([], lines, self._run)
        await self._tc([command for line in lines for d in DIRECTIONS for command in add(line, d)])
        await self._compare(lines)

    async def change(self, link: str, *, directions: Sequence[str] = DIRECTIONS, **params: Any) -> LinkState:
        async with self._asked.alone():
            before = self._asked.find(link)
            line = before.changed(tuple(directions), **params)
            refuse(Netem, [line])
            await self._turn(before, line)
        return line

    async def put(self, line: LinkState) -> None:
        async with self._asked.alone():
            await self._turn(self._asked.find(line.name), line)

    async def _turn(self, before: LinkState, line: LinkState) -> None:
        """From one state of a link to another; one that fails half way is undone."""
        memory.hold({**self.lines, line.name: line}.values())
        await gso.cut([before], [line], self._run)
        try:
            await self._tc([command for d in DIRECTIONS for command in change(line, d)])
        except CommandError:
            await self._tc([command for d in DIRECTIONS for command in change(before, d)])
            await gso.cut([line], [before], self._run)
            raise
        self._asked.keep({**self.lines, line.name: line})
        await self._compare([line])

    async def _tc(self, commands: Sequence[str]) -> None:
        await htb.carry_out(self._namespace, commands, self._run, {TABLES: str(self._folder)})

    async def read_back(self, link: str) -> Mapping[str, Shape]:
        return (await self._compare([self._asked.find(link)]))[link]

    async def check(self) -> None:
        async with self._asked.alone():  # no link is half changed meanwhile
            await self._compare(list(self.lines.values()))

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        lines = list(self.lines.values())
        rates = await htb.show(self._namespace, lines, self._run)
        return {line.name: {d: count(line, d, rates) for d in DIRECTIONS} for line in lines}

    async def cost(self) -> Mapping[str, float]:
        return {}

    async def remove(self, links: Sequence[str]) -> None:
        async with self._asked.alone():
            self._asked.keep({name: line for name, line in self.lines.items() if name not in links})

    async def close(self) -> None:
        """Nothing: the disciplines go with the namespace."""

    async def _compare(self, lines: Sequence[LinkState]) -> dict[str, dict[str, Shape]]:
        rates = await htb.show(self._namespace, lines, self._run)
        got = {line.name: {d: shape(line, d, rates) for d in DIRECTIONS} for line in lines}
        for line in lines:
            for direction in DIRECTIONS:
                readback.same(line, direction, got[line.name][direction])
        return got


def shape(line: LinkState, direction: str, rates: htb.Rates) -> Shape:
    """What a direction reads back as.

    Raises:
        ShaperError: a discipline is missing, or its queue was cut.
    """
    options, asked = rates.find(line, direction, "netem")["options"], line.shape(direction)
    if options["limit"] != asked.held:
        raise ShaperError(f"{line.name} ({direction}): netem was set to hold {options['limit']} packets")
    if "rate" not in options:
        raise ShaperError(f"{line.name} ({direction}): netem no longer keeps packets in order")
    delay, (lost, burst) = options.get("delay", {}), losses(options)
    rate, room = htb.rate_of(rates, line, direction)
    shares = {name: options.get(name, {}).get(name, 0.0) * 100 for name in SHARES}
    return Shape(
        delay=max(0.0, line.seen(direction, delay.get("delay", 0.0) * 1e3)),
        jitter=delay.get("jitter", 0.0) * 1e3,
        distribution=asked.distribution,
        loss=lost,
        burst=burst,
        rate=rate,
        queue=room,
        mtu=asked.mtu,
        **shares,
    )


def losses(options: Mapping[str, Any]) -> tuple[float, float | None]:
    """Loss (percent) and length of bursts that netem's options say."""
    if model := options.get("loss-gemodel"):
        begins, ends = model["p"], model["r"]
        return 100 * begins / (begins + ends), 1 / ends
    return options.get("loss-random", {}).get("loss", 0.0) * 100, None


def count(line: LinkState, direction: str, rates: htb.Rates) -> Counters:
    """What happened in a direction. netem does not tell loss on purpose from lack of room."""
    held, port = (rates.find(line, direction, kind) for kind in ("netem", "htb"))
    full = htb.overflow(rates, line, direction)
    unasked = 0 if line.shape(direction).loss else max(0, held["drops"] - full)
    return Counters(port["packets"], port["bytes"], full, unasked)
