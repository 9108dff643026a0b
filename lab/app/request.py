"""The request for a run, and its plan: all that is decided and checked before anything is built."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import plugins
from lab.emulation.registry import DAEMONS, DOCKER, NONE
from lab.errors import LabError, NotObtainable, RunError, TopologyError, UnknownName, UsageError
from lab.events import Emit, Note, silent
from lab.runs.sample import Clock
from lab.topology import units

if TYPE_CHECKING:
    from lab.report.claims import Claim
    from lab.report.presentation import PresentedExperiment
    from lab.runs.experiment import Cell, Experiment, Profile
    from lab.runs.manifest import Fallback, Manifest
    from lab.topology import Topology
    from overlays.base import Overlay

#: What to do with a sample during which an overlay's mode changed; either way it is kept.
FALLBACKS = ("mark", "relaunch")
#: Mbit/s of the links of GÉANT's Testbeds Service, which both studies used (Zismer 2016, section 3.1).
TESTBED_RATE = 1000.0
#: Seconds of one sample: a day.
LONGEST = 86_400
#: Given in place of a rate: a search finds it (`lab.runs.capacity`).
AUTO = "auto"
TO_BE_FOUND = "the highest rate that this machine carries, found before the run"


@dataclass(frozen=True)
class RunRequest:
    """The run that the user wants `verb` to make; see the verbs' options."""

    experiment: str
    topology: str = ""
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    largest_component: bool = False
    overlays: tuple[str, ...] = ()
    profile: str = "quick"
    #: Mbit/s of every link; ``AUTO`` for the highest that this machine carries.
    rate: float | str | None = None
    rate_why: str = "set by --rate"
    #: Samples of a cell in each bring-up, and bring-ups of each overlay; None: the profile's.
    repetitions: int | None = None
    bring_ups: int | None = None
    #: Congestion control of TCP's senders; None: the profile's.
    congestion: str | None = None
    #: Seconds per sample.
    duration: float | None = None
    only: tuple[str, ...] = ()
    seed: int | None = None
    shaper: str = "auto"
    #: A Docker daemon on each host, or none: one of `lab.emulation.registry.DAEMONS`.
    daemons: str = DOCKER
    accept_links: bool = False
    on_fallback: Fallback = "mark"
    resume: Path | None = None
    results: Path = Path("results")
    trace: Path | None = None
    prompt: bool = False
    verb: str = "emulate"
    lab: str = ""
    keep: bool = False
    #: ``real``, or ``virtual``: time that stands still while programs compute (`lab.app.virtual`).
    clock: Clock = "real"
    #: What work costs in virtual time (µs); see `lab.virtual.cost`.
    costs: Mapping[str, float] = field(default_factory=dict)
    #: Record links, hosts and the machine beside the samples (`lab.feed.recorder`).
    record: bool = True
    #: Boxes side by side at most; 0: one for every processor.
    boxes: int = 0

    def option_of_real_time(self) -> str:
        """Return the first option that a box of virtual time cannot have; "" if none was given."""
        given = {
            "--lab": self.lab,
            "--keep": self.keep,
            "--prompt": self.prompt,
            "--trace": self.trace,
            "--shaper wire": self.shaper == "wire",
        }
        return next((name for name, value in given.items() if value), "")


@dataclass(frozen=True)
class RunPlan:
    """The settings of a run, decided and checked before anything is built."""

    experiment: PresentedExperiment
    topology: Topology
    profile: Profile
    #: By the name under which their samples are stored.
    overlays: Mapping[str, Overlay]
    #: Overlays that the lab has already, and keeps after the run.
    keep_installed: frozenset[str] = frozenset()
    #: As in the request, or as the run had it that is resumed.
    daemons: str = DOCKER

    @property
    def rate_to_be_found(self) -> bool:
        """True if the links are to get the highest rate that this machine carries, not known yet."""
        return self.profile.rate_source == "capacity" and self.profile.rate is None

    def conditions(self) -> str:
        """Return in words the rate of the links (Mbit/s) and the CPUs per host, with the reason for them, and
        what the profile leaves out.
        """
        rate, cpus, why = self.profile.rate, self.profile.cpus, self.profile.why
        if self.rate_to_be_found:
            return why
        words = f"{rate:g} Mbit/s per link" if rate else "the topology's own rates"
        words += f", {cpus:g} CPUs per host" if cpus else ""
        words += f" ({why})" if why else ""
        return "; ".join(filter(None, [words, self.profile.left_out]))

    def cells(self, only: Sequence[str] = ()) -> dict[str, list[Cell]]:
        """Return the cells of each overlay; with `only`, those that have one of its words in their key."""
        from lab.runs.runner import plan_cells

        return plan_cells(self.experiment, self.topology, list(self.overlays), self.profile, only)

    def obtainable(self) -> dict[str, Overlay]:
        """Return the overlays that this machine can supply."""
        return {name: overlay for name, overlay in self.overlays.items() if not overlay.obtainable()}

    def measurable_cells(self, only: Sequence[str] = ()) -> dict[str, list[Cell]]:
        """Return the cells of each overlay that this machine can supply."""
        there = self.obtainable()
        return {name: cells for name, cells in self.cells(only).items() if name in there}

    def all_cells(self, only: Sequence[str] = ()) -> list[Cell]:
        """Return the cells of all overlays that this machine can supply, one overlay after the other."""
        return [cell for cells in self.measurable_cells(only).values() for cell in cells]


def plan_run(request: RunRequest, emit: Emit = silent) -> RunPlan:
    """Load and check everything that a request names; `emit` reports what was left out of a topology file.

    Raises:
        UnknownName: no experiment, topology, profile, overlay, or one of `FALLBACKS` or `DAEMONS` has the
            name given.
        LabError: the experiment is not measured on hosts.
        NotObtainable: an overlay that was named and that this machine cannot supply.
        TopologyError: the topology has faults, or no links, or asks for more than hosts without Docker have.
        RunError: the folder to resume is no run folder, or of another experiment; or no cell is left.
    """
    experiment = load_experiment(request.experiment)
    require_hosts(experiment)
    if request.on_fallback not in FALLBACKS:
        raise UnknownName("answer to a fall-back", request.on_fallback, FALLBACKS)
    if request.daemons not in DAEMONS:
        raise UnknownName("daemons of hosts", request.daemons, DAEMONS)
    if request.resume is not None:
        plan = _resumed_plan(experiment, request.resume, request.verb)
    else:
        profile = _possible(choose_profile(experiment, request), request.daemons, emit)
        topology = _shaped_topology(request, experiment, profile, emit)
        overlays = choose_overlays(experiment, request.overlays, emit=emit)
        plan = RunPlan(experiment, topology, profile, overlays, daemons=request.daemons)
    if plan.daemons == NONE:
        _refuse_without_docker(plan.topology, request)
    require_cells(plan, request.only)
    return plan


def _possible(profile: Profile, daemons: str, emit: Emit) -> Profile:
    """Return the profile as hosts with these daemons can have it; `emit` is told of what is left out."""
    if daemons == DOCKER or profile.cpus is None:
        return profile
    emit(
        Note(f"hosts without Docker have no CPU share: profile {profile.name}'s {profile.cpus:g} is left out")
    )
    return replace(
        profile, cpus=None, why="the profile's, without a CPU share, which hosts without Docker do not have"
    )


def _refuse_without_docker(topology: Topology, request: RunRequest) -> None:
    from lab.emulation.light.hosts import refuse

    refuse(topology)
    if request.prompt:
        raise UsageError(
            "--prompt opens Mininet's prompt in Docker's containers; leave out --daemons none, or --prompt"
        )


def _shaped_topology(request: RunRequest, experiment: Experiment, profile: Profile, emit: Emit) -> Topology:
    from lab import catalog

    topology = catalog.topology(
        request.topology or experiment.topology,
        places=request.places,
        largest_component=request.largest_component,
        emit=emit,
    )
    if not topology.links:
        raise TopologyError(f"topology {topology.name!r} has no links, so there is nothing to measure on it")
    if profile.rate is not None:
        topology = topology.with_rate(profile.rate)
    if profile.cpus is not None and not any(host.cpus for host in topology.hosts):
        topology = topology.with_cpus(profile.cpus)
    return topology


def _resumed_plan(experiment: PresentedExperiment, path: Path, verb: str) -> RunPlan:
    """Return the plan with which a run folder was begun: a resumed run has the same conditions."""
    from lab.runs.run_folder import read

    manifest = read(path).manifest
    if manifest.experiment != experiment.name:
        raise RunError(
            f"{path} is a run of {manifest.experiment!r}; resume it with '{verb} {manifest.experiment}'"
        )
    return stored_plan(experiment, manifest)


def stored_plan(experiment: PresentedExperiment, manifest: Manifest) -> RunPlan:
    """Return the plan that a run was made by, as its manifest has it.

    Raises:
        UnknownName: no overlay has the name of one of its.
        TopologyError: this version cannot read its topology.
    """
    from lab.runs.experiment import Profile
    from lab.topology import Topology

    return RunPlan(
        experiment,
        Topology.from_dict(manifest.topology),
        Profile(**manifest.profile),
        choose_overlays(experiment, tuple(manifest.overlays), insist=False),
        daemons=str(manifest.environment.get("daemons", DOCKER)),
    )


def load_experiment(name: str) -> PresentedExperiment:
    """Return the experiment of this name.

    Raises:
        UnknownName: there is none.
    """
    experiment: PresentedExperiment = plugins.load("experiments", name)()
    return experiment


def require_hosts(experiment: Experiment) -> None:
    """Check that an experiment is measured on hosts.

    Raises:
        LabError: it is measured in a machine of its own, by another verb.
    """
    if experiment.verb:
        raise LabError(
            f"{experiment.name} runs in its own machine and not on hosts; run 'lab {experiment.verb}'"
        )


def all_claims() -> dict[str, Sequence[Claim]]:
    """Return the claims of every experiment, by the experiment's name."""
    return {name: load_experiment(name).claims for name in plugins.names("experiments")}


def choose_profile(experiment: Experiment, request: RunRequest) -> Profile:
    """Return the experiment's profile with the user's values; real machines get no rate or CPUs from it.

    Raises:
        UnknownName: the experiment has no such profile.
        LabError: nothing can be measured with the rate, the time or the number of repetitions given.
    """
    if request.profile not in experiment.profiles:
        raise UnknownName("profile", request.profile, experiment.profiles)
    profile = experiment.profiles[request.profile]
    if request.verb == "testbed run":
        profile = replace(profile, rate=None, cpus=None, why="")
    if request.clock == "virtual":
        profile = _for_virtual_time(experiment, profile, request)
    if request.rate is not None and not (request.clock == "virtual" and request.rate == AUTO):
        profile = replace(profile, **_rate_settings(request.rate, request.rate_why))
    return _amount_of_work(profile, request)


def _amount_of_work(profile: Profile, request: RunRequest) -> Profile:
    """Return a profile with the bring-ups, the repetitions and the time (s) that the user asks for.

    Raises:
        LabError: nothing can be measured with them.
    """
    if request.repetitions is not None:
        if request.repetitions < 1:
            raise UsageError(f"--repetitions {request.repetitions} measures nothing; give 1 or more")
        profile = replace(profile, repetitions=dict.fromkeys(profile.repetitions, request.repetitions))
    if request.congestion is not None:
        if not re.fullmatch("[a-z0-9_]+", request.congestion):
            raise UsageError(f"--congestion {request.congestion} is no congestion control; give e.g. cubic")
        profile = replace(profile, congestion=request.congestion)
    if request.bring_ups is not None:
        profile = replace(profile, bring_ups=request.bring_ups)
    if request.duration is not None:
        if not 1 <= request.duration <= LONGEST:
            raise UsageError(
                f"--duration {request.duration:g} is no time to measure for; give 1 to {LONGEST:,} seconds"
            )
        profile = replace(profile, seconds=dict.fromkeys(profile.seconds, request.duration))
    return profile


def _for_virtual_time(experiment: Experiment, profile: Profile, request: RunRequest) -> Profile:
    """Return a profile without what it leaves out or limits because of this machine.

    Raises:
        LabError: the experiment measures what takes no time there.
    """
    if experiment.only_in_real_time:
        raise LabError(f"{experiment.name} cannot run in virtual time: {experiment.only_in_real_time}")
    return replace(profile, cpus=None, rate=TESTBED_RATE, why="the testbed's rate; virtual time carries any")


def _rate_settings(text: float | str, why: str) -> dict[str, Any]:
    """Return the fields of a profile for a rate that the user set, or for a reason that is given."""
    if text == AUTO:
        return {"rate": None, "rate_source": "capacity", "why": TO_BE_FOUND}
    try:
        rate = units.number(str(text), "Mbit/s")
    except ValueError as error:
        raise UsageError(f"--rate {text} is no rate: {error}, or '{AUTO}'") from None
    if not 0 < rate < float("inf"):
        raise UsageError(f"--rate {rate:g} is no rate; give Mbit/s above zero")
    return {"rate": rate, "rate_source": "user", "why": why}


def choose_overlays(
    experiment: Experiment, named: Sequence[str], *, insist: bool = True, emit: Emit = silent
) -> dict[str, Overlay]:
    """Return overlay objects by the name under which samples are stored.

    An overlay that was named must be obtainable, unless `insist` is False. One that is the experiment's
    default, or comes from 'all', need not be; the result table then says so. What the experiment takes in
    place of a default that is not obtainable is added, and `emit` told of it.

    Raises:
        NotObtainable: an overlay that was named and that this machine cannot supply.
    """
    from overlays import registry

    wanted = registry.names() if tuple(named) == ("all",) else named or _defaults(experiment, emit)
    insist = insist and bool(named) and tuple(named) != ("all",)
    chosen: dict[str, Overlay] = {}
    for text in wanted:
        overlay = registry.parse(text)
        if insist and (missing := overlay.obtainable()):
            raise NotObtainable(text, missing.what, missing.remedy)
        chosen[text] = overlay
    return chosen


def _defaults(experiment: Experiment, emit: Emit) -> list[str]:
    """Return an experiment's overlays, with substitutes for those that this machine cannot supply."""
    from overlays import registry

    names = list(experiment.overlays)
    for text, others in experiment.instead.items():
        missing = registry.parse(text).obtainable()
        new = [other for other in others if other not in names]
        if missing and new:
            names += new
            emit(Note(f"{text} is not available: {missing.what}; {' and '.join(new)} are measured instead"))
    return names


def require_cells(plan: RunPlan, only: Sequence[str]) -> None:
    """Check that the words of `only` leave a cell to measure, before anything is built.

    Raises:
        RunError: no cell of any overlay has them in its key.
    """
    if only and not any(plan.cells(only).values()):
        words = " or ".join(map(repr, only))
        raise RunError(
            f"no cell of {plan.experiment.name} has {words} in its key; --dry-run without --cells prints them"
        )
