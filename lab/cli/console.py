"""The console of all verbs: the engine's events while it works, and tables at the end.

On a terminal one live line shows where a run is and scrolls away what is done; in a pipe the
same is plain lines, each written out at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event as Stop
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from lab.errors import RunError
from lab.events import Emit, Event, Note, SampleDone, SampleStarted, StepDone, StepFailed, StepStarted
from lab.report.tables import Table
from lab.runs.event_log import duration, line, telling
from lab.util.documents import printable

if TYPE_CHECKING:
    from lab.report.presentation import PresentedExperiment
    from lab.report.questions import QuestionAnswer
    from lab.runs.run_folder import StoredRun

#: How often a step that takes long is heard of in a pipe (s).
BEAT = 15.0
MARKS = {"valid": "green", "host-bound": "yellow", "emulator-bound": "yellow", "broken": "red"}


@contextmanager
def progress(console: Console | None = None) -> Iterator[Emit]:
    """Yield an `Emit` that draws every event on this console, standard output by default."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        pipe, over = _Pipe(console), Stop()
        beat = Thread(target=pipe.beat, args=(over,), daemon=True)
        beat.start()
        try:
            yield pipe.draw
        finally:
            over.set()
            beat.join()
        return
    screen = _Screen(console)
    with Live(console=console, get_renderable=screen.now, refresh_per_second=4, transient=True):
        yield screen.draw


class _Pipe:
    """Plain lines: one for every event, and one now and then for a step that takes long."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: dict[str, float] = {}
        self._lock = Lock()

    def draw(self, event: Event) -> None:
        """Print an event, and note which steps are under way."""
        with self._lock:
            match event:
                case StepStarted(step):
                    self._steps[step] = monotonic()
                case StepDone(step) | StepFailed(step):
                    self._steps.pop(step, None)
            self._say(line(event))

    def beat(self, over: Stop) -> None:
        """Until it is over, say of steps that take long that they are at work still."""
        while not over.wait(BEAT):
            with self._lock:
                for step, since in self._steps.items():
                    if monotonic() - since >= BEAT:
                        self._say(f"{step}: at work since {duration(monotonic() - since)}")

    def _say(self, words: str) -> None:
        self._console.print(printable(words), markup=False, soft_wrap=True)


class _Screen:
    """The live lines of a terminal: steps under way, and the sample that is being measured."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: dict[str, float] = {}
        self._sample: tuple[SampleStarted, float] | None = None
        self._last: dict[str, str] = {}

    def draw(self, event: Event) -> None:
        """Note an event; finished steps are printed above the live lines."""
        match event:
            case StepStarted(step):
                self._steps[step] = monotonic()
            case StepDone(step):
                self._steps.pop(step, None)
                self._console.print(Text.assemble(("✓ ", "green"), line(event)))
            case StepFailed(step):
                self._steps.pop(step, None)
                self._console.print(Text.assemble(("✗ ", "red"), line(event)))
            case Note(text):
                self._console.print(Text(printable(text), "yellow"))
            case SampleStarted():
                self._sample = (event, monotonic())
            case SampleDone(cell, repetition, _, verdict):
                self._last[cell] = telling(event)
                self._sample = None
                measured = f"  {cell} #{repetition}  {telling(event)}  "
                self._console.print(Text.assemble(measured, (verdict, MARKS.get(verdict, ""))))

    def now(self) -> Text:
        """Return what is under way at this instant."""
        lines = [f"… {step}  {duration(monotonic() - since)}" for step, since in self._steps.items()]
        if self._sample:
            lines.append(self._measuring(*self._sample))
        return Text("\n".join(lines), "cyan")

    def _measuring(self, event: SampleStarted, since: float) -> str:
        passed = monotonic() - since
        last = self._last.get(event.cell)
        return (
            f"  [{event.done + 1}/{event.total}] {event.named}  {passed:.0f} s\n"
            f"    repetition {event.repetition} of {event.repetitions}"
            + (f", last {last}" if last else "")
            + f", about {duration(max(event.left - passed, 0))} left"
        )


def show(table: Table, console: Console | None = None) -> None:
    """Print a table: on a terminal in colour and no wider than it, in a pipe as aligned text."""
    console = console or Console(highlight=False)
    table = _harmless(table)
    if console.is_terminal:
        _draw(table, console)
        return
    for words in lines(table):
        console.print(words, markup=False, soft_wrap=True)


def _harmless(table: Table) -> Table:
    """Return the table without characters that a terminal obeys: its words may be those of others."""
    sections = [
        replace(part, heading=printable(part.heading), rows=[[*map(printable, row)] for row in part.rows])
        for part in table.sections
    ]
    words = {"columns": [*map(printable, table.columns)], "notes": [*map(printable, table.notes)]}
    return replace(table, title=printable(table.title), sections=sections, **words)


def _draw(table: Table, console: Console) -> None:
    """One rich table per section, with aligned columns where there is room."""
    natural = _widths(table)
    fits = sum(natural) + 2 * len(natural) <= console.width
    console.print(Text(table.title, "bold"))
    for section in table.sections:
        first = section is table.sections[0]
        console.print(Text(section.heading, "cyan"))
        drawn = Grid(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=first)
        for column, width in zip(table.columns, natural, strict=True):
            drawn.add_column(column, min_width=width if fits else None)
        for row in section.rows:
            drawn.add_row(*map(Text, row))
        if section.rows:
            console.print(drawn)
    for note in table.notes:
        console.print(Text(note, "dim"))


def lines(table: Table) -> Iterator[str]:
    """Yield the lines of a table as aligned text."""
    widths = _widths(table)

    def aligned(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    yield from (table.title, aligned(table.columns))
    for section in table.sections:
        yield section.heading
        yield from (aligned(row) for row in section.rows)
    yield from table.notes


def _widths(table: Table) -> list[int]:
    rows = [table.columns, *(row for section in table.sections for row in section.rows)]
    return [max(len(row[number]) for row in rows) for number in range(len(table.columns))]


def result_tables(experiment: PresentedExperiment, run: StoredRun) -> Sequence[Table]:
    """Return the tables of a run; the last has the answers to the claims, where anything was measured."""
    from lab.report.claims import scorecard, scorecard_table

    tables = list(experiment.tables(run))
    if run.samples and experiment.claims:
        rows = scorecard({experiment.name: experiment.claims}, [run])
        tables.append(scorecard_table(rows, alone=not tables))
    return tables


def show_results(experiment: PresentedExperiment, path: Path) -> int:
    """Draw figures, write the report, print tables and the claims' answers; returns 1 for a run not whole.

    The run is held against its manifest; standard error says what is not whole.
    """
    from lab.app.questions import answered
    from lab.report.html import write
    from lab.runs.run_folder import read
    from lab.runs.run_folder_check import faults

    run = read(path)
    files = list(experiment.figures(run, path / "figures")) if run.samples else []
    questions = answered([run]) if run.samples else []
    files.append(write(run, experiment, path, files, questions))
    for table in result_tables(experiment, run):
        print()
        show(table)
    print("", *(file for file in files if file.suffix in (".svg", ".html")), sep="\n")
    show_questions(questions)
    sentences = faults(run, experiment)
    for sentence in sentences:
        print(printable(sentence), file=sys.stderr)
    return 1 if sentences else 0


def show_questions(questions: Sequence[QuestionAnswer], console: Console | None = None) -> None:
    """Print the questions of studies with their answers, a sentence for each part, and the evidence."""
    console = console or Console(highlight=False)

    def say(words: str, style: str = "") -> None:
        console.print(Text(printable(words), style), soft_wrap=not console.is_terminal)

    for one in questions:
        say(f"\n{one.question.text} ({one.question.source})", "bold")
        for part in one.parts:
            say(f"  {part.sentence}")
        for part in one.parts:
            for words in part.evidence:
                say(f"  - {words}", "dim")


def read_runs(paths: Sequence[Path], stack: ExitStack) -> list[StoredRun]:
    """Read the runs in these folders and packs; one that cannot be read is named and left out.

    The files of packs go when the stack is closed.

    Raises:
        RunError: not one of them can be read.
    """
    from lab.runs.pack import runs_in

    runs: list[StoredRun] = []
    errors = []
    for path in paths:
        try:
            runs += stack.enter_context(runs_in(path))
        except RunError as error:
            errors.append(error)
    if errors and not runs:
        raise errors[0]
    for sentence in [*map(str, errors), *(f"{run.path}: {fault}" for run in runs for fault in run.faults)]:
        print(f"lab: {printable(sentence)}", file=sys.stderr)
    return runs
