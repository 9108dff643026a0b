"""lab link: show or change the links of a lab that is up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.cli.options import MBIT, MS, LabOption, quantity
from lab.cli.process import need_root
from lab.errors import LabError, UsageError
from lab.topology import units

if TYPE_CHECKING:
    from lab.emulation.emulation import Emulation
    from lab.emulation.links.control import Links
    from lab.emulation.links.link import LinkState
    from lab.report.tables import Table

COLUMNS = ["delay", "rate", "loss", "burst", "jitter", "distribution"]
COLUMNS += ["duplicate", "corrupt", "reorder", "queue"]


def command(
    link: Annotated[
        str, typer.Argument(help="A link, such as AMS-PRG. Without it, all links are shown.")
    ] = "",
    delay: Annotated[
        float | None,
        typer.Option(parser=quantity("delay", MS), metavar="TIME", help="One-way delay: 40 (ms), 1s, …"),
    ] = None,
    rtt: Annotated[
        float | None,
        typer.Option(parser=quantity("rtt", MS), metavar="TIME", help="Round trip: half of it each way."),
    ] = None,
    rate: Annotated[str | None, typer.Option(help="50 (Mbit/s), 1Gbit, …, or 'none' for no limit.")] = None,
    loss: Annotated[float | None, typer.Option(help="Percent of the packets.")] = None,
    burst: Annotated[str | None, typer.Option(help="Packets lost in a row, on average, or 'none'.")] = None,
    jitter: Annotated[
        float | None,
        typer.Option(parser=quantity("jitter", MS), metavar="TIME", help="Standard deviation of the delay."),
    ] = None,
    distribution: Annotated[str | None, typer.Option(help="Of jitter: normal, uniform or pareto.")] = None,
    duplicate: Annotated[float | None, typer.Option(help="Percent of the packets.")] = None,
    corrupt: Annotated[float | None, typer.Option(help="Percent of the packets.")] = None,
    reorder: Annotated[float | None, typer.Option(help="Percent of the packets.")] = None,
    queue: Annotated[str | None, typer.Option(help="Bytes, or 'none' for the usual queue.")] = None,
    sender: Annotated[str, typer.Option("--from", help="Only the direction from this host.")] = "",
    down: Annotated[bool, typer.Option("--down", help="Cut the link.")] = False,
    up: Annotated[bool, typer.Option("--up", help="Join the link again.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Restore the settings at the lab's start.")] = False,
    replay: Annotated[Path | None, typer.Option(help="Replay this trace: time,delay,rate,loss.")] = None,
    lab: LabOption = "",
) -> None:
    """Show or change the links of a lab that is up.

    Needs root. No link is built again, and connections continue. Settings that you do not
    give stay as they are.
    You can change a lab while it is measured. A schedule in the topology file does the same by itself.

    Example: sudo lab link AMS-PRG --delay 40ms --loss 1
    """
    from lab.emulation.emulation import Emulation

    numbers: dict[str, Any] = {"delay": delay, "rtt": rtt, "loss": loss, "jitter": jitter}
    numbers |= {"distribution": distribution, "duplicate": duplicate, "corrupt": corrupt, "reorder": reorder}
    clearable = {"rate": rate, "burst": burst, "queue": queue}
    values = {name: value for name, value in numbers.items() if value is not None}
    values |= {name: number(name, text) for name, text in clearable.items() if text is not None}
    change = LinkChange(values, sender or None, down, up, reset, replay)
    change.check(link)
    need_root("link", link)
    asyncio.run(_run(Emulation.attach(lab), link, change))


@dataclass(frozen=True)
class LinkChange:
    """A change of a link: at most one of all this."""

    values: Mapping[str, Any]
    sender: str | None = None
    down: bool = False
    up: bool = False
    reset: bool = False
    replay: Path | None = None

    @property
    def actions(self) -> int:
        """The number of things to do to the link."""
        return sum(map(bool, (self.values, self.down, self.up, self.reset, self.replay)))

    def check(self, link: str) -> None:
        """Check that this change can be made to a link.

        Raises:
            LabError: it contradicts itself, or there is no link to do it to.
        """
        if self.actions and not link:
            raise UsageError("which link? give its name before the options, as in: lab link AMS-PRG --loss 1")
        if self.actions > 1:
            raise UsageError("give parameters, or one of --down, --up, --reset and --replay, not several")
        if {"delay", "rtt"} <= self.values.keys():
            raise UsageError("give --delay (one way) or --rtt (there and back), not both")
        if self.sender and not (self.values or self.replay):
            raise UsageError(
                "--from is for parameters of one direction; a link is cut and set back as a whole"
            )


def number(name: str, text: str) -> float | int | None:
    """Return the value of a parameter that can also be set to none.

    Raises:
        LabError: it is neither.
    """
    if text == "none":
        return None
    try:
        if name == "rate":
            return units.number(text, MBIT)
        return int(text) if name == "queue" else float(text)
    except ValueError:
        more = ", as 50 or 1Gbit is," if name == "rate" else ""
        raise UsageError(f"--{name} is a number{more} or 'none', not {text!r}") from None


async def _run(lab: Emulation, name: str, change: LinkChange) -> None:
    from lab.cli.console import show

    links = lab.running_links()
    if change.replay:
        await _replay(links, name, change.replay, change.sender)
    elif change.values:
        await links.change(name, change.values, change.sender)
    elif change.actions:
        action = links.set_down if change.down else links.set_up if change.up else links.reset
        await action(name)
    chosen = [links.find(name)] if name else lab.links
    await links.check()
    lines = lab.shaper.states
    show(table(lab.name, [(link.a, link.b, lines[link.name]) for link in chosen]))


async def _replay(links: Links, name: str, file: Path, sender: str | None) -> None:
    """Replay a trace; its last values stay."""
    from lab.cli.console import progress
    from lab.emulation.links.replay import Replay
    from lab.topology import schedule

    link = links.find(name)
    more = {"link": link.name, **({"from": sender} if sender else {})}
    entries = [{**row, **more} for row in schedule.read_trace(file)]
    if faults := schedule.faults(entries, {link.name: (link.a, link.b)}):
        raise LabError(f"{file}: {'; '.join(faults[:5])}")
    with progress() as emit:
        replay = Replay(links, schedule.read(entries), emit)
        await replay.play()
    if replay.trouble:
        raise LabError(replay.trouble)


def table(lab: str, rows: list[tuple[str, str, LinkState]]) -> Table:
    """Return what links do now, a row per direction."""
    from lab.report.tables import Section, Table

    cells = []
    for a, b, line in rows:
        for ends, direction in ((f"{a} to {b}", "ab"), (f"{b} to {a}", "ba")):
            shape = line.shape(direction)
            state = "down" if line.down else ""
            cells.append([line.name, ends, state, *(_word(getattr(shape, name)) for name in COLUMNS)])
    columns = ["link", "direction", "", *COLUMNS]
    note = "delay and jitter in ms, rate in Mbit/s, queue in bytes, burst in packets, the others in percent"
    return Table(f"links of lab {lab}", columns, [Section("as they read back", cells)], [note])


def _word(value: Any) -> str:
    if value in (None, 0):
        return "–"
    return value if isinstance(value, str) else f"{value:g}"
