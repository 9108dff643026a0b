"""netem, the kernel's own network emulator: its `tc` commands, their results read back, and the shaper.

It works on the ports where packets leave a lab's namespace: behind a veth, never on the sender's own
interface. There a held packet still counts against the sender's socket (TCP small queues), and TCP
falls to a fraction of the rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lab.emulation.links import gso, htb, netem_tables, netns
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.emulation.links.shaper import Shaper, Shapes
from lab.errors import CommandError, ShaperError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.measure.link_counters import Counters

ROOT = "root handle 2:"
#: A rate for netem that no traffic reaches. With any rate, netem keeps packets in the order of their
#: arrival, even with jitter. htb imposes the link's own rate.
IN_ORDER = "rate 1000gbit"
#: The parameters that tc shows as a share, under the same names.
SHARES = ("duplicate", "corrupt", "reorder")
#: Where tc looks for distributions of jitter, in place of its own folder.
TABLES = "TC_LIB_DIR"


def netem_command(verb: str, link: LinkState, direction: str) -> str:
    """Return the `tc` line with all that netem does to a direction.

    It always names every parameter: `change` keeps the old value of one that is not named.
    """
    shape = link.shape(direction)
    words = f"qdisc {verb} dev {link.port_out(direction)} {ROOT} netem limit {shape.held}"
    words += f" delay {link.imposed_delay(direction):.6f}ms"
    if shape.jitter:
        words += f" {shape.jitter:.6f}ms distribution {shape.distribution}"
    if shape.gilbert is None:
        loss = f"loss random {shape.loss:.6f}%"
    else:
        begins, ends = shape.gilbert
        loss = f"loss gemodel {100 * begins:.6f}% {100 * ends:.6f}%"
    shares = (f"{name} {getattr(shape, name):.6f}%" for name in SHARES)
    return " ".join([words, loss, *shares, IN_ORDER])


def add_commands(link: LinkState, direction: str) -> list[str]:
    """Return the `tc` lines of one direction: netem, and in it the rate."""
    return [netem_command("add", link, direction), *htb.add_commands(link, direction, "parent 2:1")]


def change_commands(link: LinkState, direction: str) -> list[str]:
    """Return the `tc` lines that set one direction again; packets under way keep their times."""
    return [netem_command("change", link, direction), *htb.rate_commands("change", link, direction)]


class Netem(Shaper):
    """The shaper of one lab where the kernel has netem."""

    name: ClassVar[str] = "netem"

    @classmethod
    async def probe(cls, run: RunCommand = command.run) -> str | None:
        """Set a link's queueing disciplines on the loopback of a namespace that ends with the command."""
        link = LinkState("probe", 1, Shape(1.0, rate=10.0), Shape())
        lines = [line.replace("dev 1b", "dev lo") for line in add_commands(link, "ab")]
        try:
            await run(["unshare", "--net", "tc", "-batch", "-"], stdin=netns.script(lines))
        except CommandError as error:
            reason = (error.stderr.strip() or "no word").splitlines()[0]
            return f"this kernel or user cannot have it ({reason})"
        return None

    async def _add(self, links: Sequence[LinkState], states: Mapping[str, LinkState]) -> None:
        await self._switch(states)
        netem_tables.write(self._store.folder)
        await gso.limit([], links, self._run)
        await self._tc([line for link in links for d in DIRECTIONS for line in add_commands(link, d)])

    async def _replace(self, before: LinkState, after: LinkState, states: Mapping[str, LinkState]) -> None:
        await gso.limit([before], [after], self._run)
        try:
            await self._tc([line for d in DIRECTIONS for line in change_commands(after, d)])
        except CommandError:
            await self._tc([line for d in DIRECTIONS for line in change_commands(before, d)])
            await gso.limit([after], [before], self._run)
            raise
        await self._switch(states)

    async def _tc(self, lines: Sequence[str]) -> None:
        await netns.batch("tc", self._namespace, lines, self._run, {TABLES: str(self._store.folder)})

    async def _read(self, links: Sequence[LinkState]) -> Shapes:
        rates = await htb.show(self._namespace, links, self._run)
        return {link.name: {d: read_shape(link, d, rates) for d in DIRECTIONS} for link in links}

    async def counters(self) -> Mapping[str, Mapping[str, Counters]]:
        links = list(self.states.values())
        rates = await htb.show(self._namespace, links, self._run)
        return {link.name: {d: read_counters(link, d, rates) for d in DIRECTIONS} for link in links}


def read_shape(link: LinkState, direction: str, rates: htb.Rates) -> Shape:
    """Return the shape that a direction reads back as.

    Raises:
        ShaperError: a discipline is missing, netem's limit differs, or netem no longer keeps the order.
    """
    options, asked = rates.find(link, direction, "netem")["options"], link.shape(direction)
    if options["limit"] != asked.held:
        raise ShaperError(f"{link.name} ({direction}): netem was set to hold {options['limit']} packets")
    if "rate" not in options:
        raise ShaperError(f"{link.name} ({direction}): netem no longer keeps packets in order")
    delay, (loss, burst) = options.get("delay", {}), read_loss(options)
    rate, queue = htb.read_rate(rates, link, direction)
    shares = {name: options.get(name, {}).get(name, 0.0) * 100 for name in SHARES}
    return Shape(
        delay=max(0.0, link.resulting_delay(direction, delay.get("delay", 0.0) * 1e3)),
        jitter=delay.get("jitter", 0.0) * 1e3,
        distribution=asked.distribution,
        loss=loss,
        burst=burst,
        rate=rate,
        queue=queue,
        mtu=asked.mtu,
        **shares,
    )


def read_loss(options: Mapping[str, Any]) -> tuple[float, float | None]:
    """Return the loss (percent) and the mean burst (packets; None without bursts) of netem's options."""
    if model := options.get("loss-gemodel"):
        begins, ends = model["p"], model["r"]
        return 100 * begins / (begins + ends), 1 / ends
    return options.get("loss-random", {}).get("loss", 0.0) * 100, None


def read_counters(link: LinkState, direction: str, rates: htb.Rates) -> Counters:
    """Return the counters of a direction. netem counts intended loss and drops for lack of room together."""
    held, port = (rates.find(link, direction, kind) for kind in ("netem", "htb"))
    full = htb.overflow(rates, link, direction)
    unexpected = 0 if link.shape(direction).loss else max(0, held["drops"] - full)
    return Counters(port["packets"], port["bytes"], full, unexpected)
