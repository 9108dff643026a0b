"""What several verbs draw: the engine's events while it works, and tables at the end.

On a terminal one live line shows where a run is and scrolls away what is done; in a pipe the
same is plain lines, each written out at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lab.events import Emit, Event, Note, SampleDone, SampleStarted, StepDone, StepStarted
from lab.report.tables import Table
from lab.runs.journal import duration, line, telling

if TYPE_CHECKING:
    from rich.table import Table as RichTable

MARKS = {"valid": "green", "host-bound": "yellow", "emulator-bound": "yellow", "broken": "red"}


@contextmanager
def progress(console: Console | None = None) -> Iterator[Emit]:
    """Yield an `Emit` that draws every event on this console, standard output by default."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        yield lambda event: console.print(line(event), markup=False, soft_wrap=True)
        return
    screen = _Screen(console)
    with Live(console=console, get_renderable=screen.now, refresh_per_second=4, transient=True):
        yield screen.take


class _Screen:
    """The live lines of a terminal: steps under way, and the sample that is being measured."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: dict[str, float] = {}
        self._sample: tuple[SampleStarted, float] | None = None
        self._last: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Note an event; what is over is printed above the live lines."""
        match event:
            case StepStarted(step):
                self._steps[step] = monotonic()
            case StepDone(step):
                self._steps.pop(step, None)
                self._console.print(Text.assemble(("✓ ", "green"), line(event)))
            case Note(text):
                self._console.print(Text(text, "yellow"))
            case SampleStarted():
                self._sample = (event, monotonic())
            case SampleDone(cell, repetition, _, verdict):
                self._last[cell] = telling(event)
                self._sample = None
                said = f"{cell} #{repetition}  {telling(event)}  "
                self._console.print(Text.assemble("  ", said, (verdict, MARKS.get(verdict, ""))))

    def now(self) -> Text:
        """What is under way at this instant."""
        lines = [f"… {step}  {duration(monotonic() - since)}" for step, since in self._steps.items()]
        if self._sample:
            lines.append(self._measuring(*self._sample))
        return Text("\n".join(lines), "cyan")

    def _measuring(self, event: SampleStarted, since: float) -> str:
        passed = monotonic() - since
        last = self._last.get(event.cell)
        return (
            f"  [{event.done + 1}/{event.total}] {event.cell}  "
            f"repetition {event.repetition} of {event.repetitions}"
            + (f"  last {last}" if last else "")
            + f"  {passed:.0f} s  about {duration(max(event.left - passed, 0))} left"
        )


def show(table: Table, console: Console | None = None) -> None:
    """Print a table: ruled on a terminal, aligned plain text in a pipe."""
    console = console or Console(highlight=False)
    if console.is_terminal:
        console.print(_ruled(table))
    else:
        console.print("\n".join(plain(table)), markup=False, soft_wrap=True)
    for note in table.notes:
        console.print(Text(note), soft_wrap=not console.is_terminal)


def plain(table: Table) -> list[str]:
    """The lines of a table as aligned text."""
    full = [list(row) for row in (table.columns, *table.rows) if len(row) > 1]
    widths = [max(len(row[n]) for row in full) for n in range(len(table.columns))]

    def aligned(row: list[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        return "  ".join(cells).rstrip()

    rows = [aligned(list(row)) if len(row) > 1 else row[0] for row in table.rows]
    return [table.title, aligned(list(table.columns)), "-" * (sum(widths) + 2 * (len(widths) - 1)), *rows]


def _ruled(table: Table) -> RichTable:
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left", title_style="bold")
    for column in table.columns:
        drawn.add_column(column)
    for row in table.rows:
        if len(row) == 1:
            drawn.add_section()
            drawn.add_row(Text(row[0], "bold"), *[""] * (len(table.columns) - 1))
        else:
            drawn.add_row(*(Text(cell) for cell in row))
    return drawn
