"""Putting the parts of a run together: topology, experiment, overlays, hosts, run folder.

A run on emulated hosts and one on real ones differ in who makes the hosts (`PreparedLab`), and in
nothing else.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import catalog, plugins
from lab.app.trial import measurable
from lab.cli.export_dsl import tell
from lab.cli.options import SPARES
from lab.errors import LabError, NotObtainable, RunError, TopologyError, UnknownName
from lab.events import Emit, Event, Note, StepDone, step
from lab.runs.experiment import Experiment, Profile
from lab.topology import Topology
from overlays.base import Overlay

if TYPE_CHECKING:
    from lab.emulation.emulation import Emulation
    from lab.hosts.command import RunCommand
    from lab.report.claims import Claim
    from lab.report.presentation import PresentedExperiment
    from lab.runs.manifest import Manifest, RunSession
    from lab.runs.run_folder import RunFolder
    from lab.runs.run_folder import StoredRun as StoredRun
    from lab.runs.target import RunTarget


#: What to do with a sample during which an overlay's mode changed; either way it is kept.
FALLBACKS = ("mark", "relaunch")
#: Seconds of one sample: a day.
LONGEST = 86_400
#: In place of a rate: it is to be found (`lab.runs.capacity`).
AUTO = "auto"
TO_BE_FOUND = "the highest rate that this machine carries, found before the run"


@dataclass(frozen=True)
class RunRequest:
    """What the user asked of `verb`; see the verbs' options."""

    experiment: str
    topology: str = ""
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    largest_component: bool = False
    overlays: tuple[str, ...] = ()
    profile: str = "quick"
    #: Mbit/s of every link; ``AUTO`` for the highest that this machine carries.
    rate: float | str | None = None
    repetitions: int | None = None
    duration: float | None = None
    only: tuple[str, ...] = ()
    seed: int | None = None
    shaper: str = "auto"
    accept_links: bool = False
    on_fallback: str = "mark"
    spares: int = SPARES
    resume: Path | None = None
    results: Path = Path("results")
    trace: Path | None = None
    prompt: bool = False
    verb: str = "emulate"
    lab: str = ""
    keep: bool = False


@dataclass(frozen=True)
class RunPlan:
    """All that is settled before anything is built."""

    experiment: PresentedExperiment
    topology: Topology
    profile: Profile
    overlays: Mapping[str, Overlay]


@dataclass(frozen=True)
class PreparedLab:
    """Hosts that are up, whoever made them: what a run measures on, and what its manifest says of it."""

    lab: RunTarget
    shaper: str
    environment: dict[str, Any]
    calibration: dict[str, dict[str, float]]
    #: Told of the run's folder once it is there.
    begun: Callable[[Path], None] = lambda _: None


def parts(asked: RunRequest) -> RunPlan:
    """Find and check everything that was named.

    Raises:
        UnknownName: an experiment, topology, profile, overlay or `FALLBACKS` that nothing answers to.
        NotObtainable: an overlay that was named and that this machine cannot supply.
        TopologyError: the topology has faults, or no links.
        RunError: the folder to resume is none, or of another experiment.
    """
    experiment = load_experiment(asked.experiment)
    if asked.on_fallback not in FALLBACKS:
        raise UnknownName("answer to a fall-back", asked.on_fallback, FALLBACKS)
    if asked.resume is not None:
        return resumed(experiment, asked.resume, asked.verb)
    if asked.profile not in experiment.profiles:
        raise UnknownName("profile", asked.profile, experiment.profiles)
    profile = adjusted(experiment.profiles[asked.profile], asked)
    topology = catalog.topology(
        asked.topology or experiment.topology,
        places=asked.places,
        largest_component=asked.largest_component,
        emit=tell,
    )
    if not topology.links:
        raise TopologyError(f"topology {topology.name!r} has no links, so there is nothing to measure on it")
    if profile.rate is not None:
        topology = topology.with_rate(profile.rate)
    if profile.cpus is not None and not any(host.cpus for host in topology.hosts):
        topology = topology.with_cpus(profile.cpus)
    return RunPlan(experiment, topology, profile, choose_overlays(experiment, asked.overlays))


def resumed(experiment: PresentedExperiment, path: Path, verb: str) -> RunPlan:
    """What a run folder was begun with: a resumed run is the same run."""
    from lab.runs.run_folder import read

    manifest = read(path).manifest
    if manifest.experiment != experiment.name:
        raise RunError(
            f"{path} is a run of {manifest.experiment!r}; resume it with '{verb} {manifest.experiment}'"
        )
    return RunPlan(
        experiment,
        Topology.from_dict(manifest.topology),
        Profile(**manifest.profile),
        choose_overlays(experiment, tuple(manifest.overlays), insist=False),
    )


def load_experiment(name: str) -> PresentedExperiment:
    """The experiment of this name.

    Raises:
        UnknownName: there is none.
    """
    found: PresentedExperiment = plugins.load("experiments", name)()
    return found


def readable(paths: Sequence[Path]) -> list[StoredRun]:
    """The runs of these folders; one that cannot be read is named and left out, and the others stand.

    Raises:
        RunError: not one of them can be read.
    """
    from lab.runs.run_folder import read

    runs, errors = [], []
    for path in paths:
        try:
            runs.append(read(path))
        except RunError as error:
            errors.append(error)
    if errors and not runs:
        raise errors[0]
    for sentence in [*map(str, errors), *(f"{run.path}: {fault}" for run in runs for fault in run.faults)]:
        print(f"lab: {sentence}", file=sys.stderr)
    return runs


def all_claims() -> dict[str, Sequence[Claim]]:
    """Return the claims of every experiment, by the experiment's name."""
    return {name: load_experiment(name).claims for name in plugins.names("experiments")}


def adjusted(profile: Profile, asked: RunRequest) -> Profile:
    """The profile with what the user set in its place; nobody shapes real links, or limits real hosts."""
    if asked.verb == "testbed run":
        profile = replace(profile, rate=None, cpus=None, why="")
    if asked.rate is not None:
        profile = replace(profile, **_rate_asked(asked.rate))
    if asked.repetitions is not None:
        if asked.repetitions < 1:
            raise LabError(f"--repetitions {asked.repetitions} measures nothing; give 1 or more")
        profile = replace(profile, repetitions=dict.fromkeys(profile.repetitions, asked.repetitions))
    if asked.duration is not None:
        if not 1 <= asked.duration <= LONGEST:
            raise LabError(
                f"--duration {asked.duration:g} is no time to measure for; give 1 to {LONGEST:,} seconds"
            )
        profile = replace(profile, seconds=dict.fromkeys(profile.seconds, asked.duration))
    return profile


def _rate_asked(text: float | str) -> dict[str, Any]:
    """What a profile says of a rate that the user set: `rate` and `why`."""
    if text == AUTO:
        return {"rate": None, "why": TO_BE_FOUND}
    try:
        rate = float(text)
    except ValueError:
        raise LabError(f"--rate {text} is no rate; give Mbit/s, or '{AUTO}'") from None
    if not 0 < rate < float("inf"):
        raise LabError(f"--rate {rate:g} is no rate; give Mbit/s above zero")
    return {"rate": rate, "why": "set by --rate"}


def choose_overlays(
    experiment: Experiment, named: Sequence[str], *, insist: bool = True
) -> dict[str, Overlay]:
    """Overlay objects by the name under which samples are stored.

    One that was named must be obtainable; one that the experiment asks for on its own, or
    'all', may turn out not to be, which the result table then says.
    """
    from overlays import registry

    wanted = registry.names() if tuple(named) == ("all",) else named or experiment.overlays
    insist = insist and bool(named) and tuple(named) != ("all",)
    chosen: dict[str, Overlay] = {}
    for text in wanted:
        overlay = registry.parse(text)
        if insist and (missing := overlay.obtainable()):
            raise NotObtainable(text, missing.what, missing.remedy)
        chosen[text] = overlay
    return chosen


def refuse_nothing(asked: RunRequest, settled: RunPlan) -> None:
    """Refuse words after which no cell is left, before anything is built for them.

    Raises:
        RunError: no cell of any overlay has them in its key.
    """
    from lab.runs.runner import plan_cells

    grid = plan_cells(
        settled.experiment, settled.topology, list(settled.overlays), settled.profile, asked.only
    )
    if asked.only and not any(grid.values()):
        words = " or ".join(map(repr, asked.only))
        name = settled.experiment.name
        raise RunError(f"no cell of {name} has {words} in its key; --dry-run without --only prints them")


def show_plan(asked: RunRequest) -> None:
    """Print the cells of a run and the time that they take; nothing is built."""
    from lab.cli import capacity
    from lab.runs.progress import OVERHEAD
    from lab.runs.runner import plan_cells

    settled = parts(asked)
    refuse_nothing(asked, settled)
    grid = plan_cells(
        settled.experiment, settled.topology, list(settled.overlays), settled.profile, asked.only
    )
    seconds = 0.0
    for cells in grid.values():
        for cell in cells:
            seconds += cell.repetitions * cell.duration
            print(f"{cell.key}  {cell.repetitions} × {cell.duration:g} s")
    count = sum(len(cells) for cells in grid.values())
    samples = sum(cell.repetitions for cells in grid.values() for cell in cells)
    whole = (seconds + samples * OVERHEAD) / 60
    print(f"{count} cells, {seconds / 60:.1f} minutes of measuring at {_rate(settled)}")
    print(f"about {whole:.0f} minutes with the tools' hand-shakes, besides bringing {len(grid)} overlays up")
    capacity.foresee(settled, lambda event: print(event.text) if isinstance(event, Note) else None)


def _rate(settled: RunPlan) -> str:
    rate, cpus, why = settled.profile.rate, settled.profile.cpus, settled.profile.why
    if why == TO_BE_FOUND:
        return why
    words = f"{rate:g} Mbit/s per link" if rate else "the topology's own rates"
    words += f", {cpus:g} CPUs per host" if cpus else ""
    return words + (f" ({why})" if why else "")


async def emulate(asked: RunRequest) -> int:
    """Build, measure, show, take away; returns the exit status."""
    from rich.console import Console

    from lab.cli.console import progress
    from lab.hosts import command
    from lab.runs.run_folder import try_to_write

    settled = parts(asked)
    refuse_nothing(asked, settled)
    if asked.resume is None:
        try_to_write(asked.results)
    trace = command.Trace(asked.trace) if asked.trace else None
    try:
        # Mininet's prompt and a live display cannot share a terminal
        with progress(Console(force_terminal=False, highlight=False) if asked.prompt else None) as emit:
            status, path = await _run(asked, settled, trace or command.run, emit)
    finally:
        if trace:
            trace.close()
    show_results(settled.experiment, path)
    return max(status, tell_faults(settled.experiment, path))


async def _run(asked: RunRequest, settled: RunPlan, run: RunCommand, emit: Emit) -> tuple[int, Path]:
    from lab.cli import capacity
    from lab.emulation.emulation import Emulation

    timing: dict[str, float] = {}
    if asked.rate == AUTO and asked.resume is None:
        settled = await capacity.with_found_rate(asked, settled, _timed(emit, timing))
    emit(Note(f"{settled.experiment.name} on {settled.topology.name}: links at {_rate(settled)}"))
    capacity.foresee(settled, emit)
    async with Emulation(
        settled.topology, shaper=asked.shaper, run=run, emit=_timed(emit, timing)
    ) as emulation:
        ground = await emulated(emulation, asked, settled, emit)
        if asked.prompt:
            await asyncio.to_thread(prompt, emulation)
        outcome = await measure_on(ground, asked, settled, timing, emit)
        if asked.keep:
            emulation.keep()
            emit(Note(f"lab {emulation.name} stays up; 'lab down {emulation.name}' takes it away"))
        return outcome


async def measure_on(
    ground: PreparedLab, asked: RunRequest, settled: RunPlan, timing: dict[str, float], emit: Emit
) -> tuple[int, Path]:
    """Measure on hosts that are up; returns the exit status and the run's folder.

    `timing` is what bringing them up took (s) by step.
    """
    from lab.runs.event_log import logging
    from lab.runs.runner import run_experiment

    with _folder(asked, _manifest(asked, settled, ground), emit) as folder:
        folder.manifest.timing["bring-up"] = timing
        folder.save()
        ground.begun(folder.path)
        emit(Note(f"results go to {folder.path}"))
        try:
            outcome = await run_experiment(
                settled.experiment,
                ground.lab,
                settled.overlays,
                settled.profile,
                folder,
                emit=logging(folder.path / "log", emit),
            )
        except asyncio.CancelledError:
            if not asked.lab:  # whose run cannot be resumed
                emit(Note(f"samples are kept; the same command with --resume {folder.path} goes on"))
            raise
    return outcome.status, folder.path


def _timed(emit: Emit, timing: dict[str, float]) -> Emit:
    """An `Emit` that also keeps how long each step took (s)."""

    def both(event: Event) -> None:
        if isinstance(event, StepDone):
            timing[event.step] = round(event.seconds, 3)
        emit(event)

    return both


def _manifest(asked: RunRequest, settled: RunPlan, ground: PreparedLab) -> Manifest:
    from lab.runs.manifest import Manifest
    from lab.runs.runner import described

    return Manifest(
        run=secrets.token_hex(3),
        experiment=settled.experiment.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        topology=settled.topology.to_dict(),
        profile=asdict(settled.profile),
        only=list(asked.only),
        rate=settled.profile.rate,
        shaper=ground.shaper,
        seed=asked.seed if asked.seed is not None else secrets.randbelow(2**31),
        on_fallback="relaunch" if asked.on_fallback == "relaunch" else "mark",
        spares=asked.spares,
        overlays={name: described(overlay) for name, overlay in settled.overlays.items()},
        environment=ground.environment,
        calibration=ground.calibration,
        accepted=list(ground.lab.accepted),
        sessions=[_session()],
    )


def _session() -> RunSession:
    from lab.runs.environment import boot
    from lab.runs.manifest import RunSession

    return RunSession(
        started=datetime.now(UTC).isoformat(timespec="seconds"), command=sys.argv[:], boot=boot()
    )


def _folder(asked: RunRequest, manifest: Manifest, emit: Emit) -> RunFolder:
    """A new run folder, or the one to go on with, after a check that the conditions are the same."""
    from lab.runs.manifest import check_same
    from lab.runs.run_folder import RunFolder, read

    if asked.resume is None:
        return RunFolder.create(asked.results, manifest)
    stored = read(asked.resume).manifest
    same = {"only": stored.only, "seed": stored.seed}
    check_same(stored, manifest.model_copy(update=same))
    folder = RunFolder.resume(asked.resume, _session())
    if folder.repaired:
        emit(Note(folder.repaired))
    return folder


async def emulated(emulation: Emulation, asked: RunRequest, settled: RunPlan, emit: Emit) -> PreparedLab:
    """An emulation that is up, as a run needs it; every link is measured before it is trusted."""
    from lab.emulation.links.calibration import calibrate
    from lab.runs.environment import environment

    with step(emit, "calibration of links") as words:
        calibration, off = await calibrate(emulation.links, emulation.shaper, accept=asked.accept_links)
        words.append(f"{len(calibration)} links, {len(off)} faults" if off else f"{len(calibration)} links")
    for fault in off:
        emit(Note(f"accepted: {fault}"))
    lab = measurable(emulation, settled.topology, settled.experiment.interval, emit)
    return PreparedLab(
        replace(lab, accepted=off),
        emulation.shaper.name,
        environment(await emulation.versions()),
        calibration,
    )


def prompt(lab: Emulation) -> None:
    """Mininet's prompt on the running lab; measuring begins when it is left."""
    from lab.containernet import CLI, Containernet, setLogLevel

    setLogLevel("info")
    net = Containernet(lab)
    try:
        CLI(net)
    finally:
        net.stop()


def tell_faults(experiment: Experiment, path: Path) -> int:
    """Hold a finished run against its manifest; says what is not whole, and then returns 1."""
    from lab.runs.run_folder import read
    from lab.runs.verify import faults

    found = faults(read(path), experiment)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


def show_results(experiment: PresentedExperiment, path: Path) -> None:
    """Draw the figures, write the report, and print the tables of a run."""
    from lab.cli.console import show
    from lab.report.html import write
    from lab.runs.run_folder import read

    run = read(path)
    files: list[Path] = []
    if run.samples:
        files += experiment.figures(run, path / "figures")
    files.append(write(run, experiment, path))
    for table in experiment.tables(run):
        print()
        show(table)
    print("\n" + "\n".join(str(file) for file in files))
