"""The manifest of a run: all that one must know to read its samples, or to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lab.errors import RunError
from lab.runs.sample import Clock

SCHEMA: Literal[1] = 1

#: What a resumed run must have in common with its beginning: samples that differ in one of
#: these do not belong into one mean.
FIXED = ("experiment", "topology", "profile", "only", "rate", "shaper", "seed", "clock", "costs", "bring_ups")
FIXED_ENVIRONMENT = ("kernel", "box", "machine", "sysctls", "versions")
#: Packages whose versions were stored once, and that nothing of a run depends on.
FORMER_PACKAGES = {"pyroute2"}

#: What is done with a sample during which an overlay's mode changed.
Fallback = Literal["mark", "relaunch"]
#: How a profile says that its rate is that of a search (`lab.runs.capacity`).
FOUND = "the highest that this machine was found to carry"


class OverlayState(BaseModel):
    """An overlay's outcome: ``ok``, ``not obtainable`` or ``failed`` with a reason, ``pending``."""

    state: Literal["pending", "ok", "not obtainable", "failed"] = "pending"
    reason: str = ""
    remedy: str = ""
    settings: dict[str, str] = {}
    #: Who hands packets on over several hops: the ``overlay``, or the ``routed underlay`` below it.
    hops: str = ""
    mode: dict[str, str] = {}


class Resources(BaseModel):
    """Time and memory of one bring-up of an overlay.

    `seconds` go from the begin of its installation to a packet between every two endpoints. `memory`
    (bytes, resident, by host) is that of its processes before the first sample; see `Overlay.memory`.
    """

    bring_up: int
    seconds: float
    memory: dict[str, int] = {}


class MachineState(BaseModel):
    """A machine of a run that is spread over several: what it is, and whether it measures.

    ``ok``; ``refused``: it did not fit, and measured nothing; ``excluded``: it got no more blocks after some
    time. `reason` says why.
    """

    state: Literal["ok", "refused", "excluded"] = "ok"
    reason: str = ""
    kernel: str = ""
    cpus: int = 0
    cpu: str = ""
    memory_mib: int = 0
    shaper: str = ""
    #: What is known about the rate that it carries, in words.
    capacity: str = ""
    sysctls: dict[str, str] = {}
    calibration: dict[str, Any] = {}


class RunSession(BaseModel):
    """One command that worked on the run; the first made it, the others resumed it."""

    started: str
    command: list[str]
    boot: str = ""


class StoredProfile(BaseModel):
    """The profile of a manifest: `lab.runs.experiment.Profile` as JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = ""
    repetitions: dict[str, Annotated[int, Field(ge=0, le=1_000_000)]] = {}
    seconds: dict[str, Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]] = {}
    warmup: dict[str, Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]] = {}
    rate: Annotated[float, Field(gt=0, le=1e9)] | None = None
    why: str = ""
    cpus: Annotated[float, Field(gt=0, le=1e6)] | None = None
    rate_source: Literal["profile", "user", "capacity"] = "profile"
    bring_ups: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    congestion: Annotated[str, Field(pattern="^[a-z0-9_]*$")] = ""
    left_out: str = ""


class Manifest(BaseModel):
    """``manifest.json``; see docs/reference/run-folder.md."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = SCHEMA
    run: str
    experiment: str
    created: str
    complete: bool = False
    topology: dict[str, Any]
    profile: dict[str, Any]
    only: list[str] = []
    #: Mbit/s of the links; None where the links differ.
    rate: float | None = None
    shaper: str = ""
    #: Of the random order of cells; None where the order is fixed.
    seed: int | None = 0
    clock: Clock = "real"
    #: What work costs in virtual time (µs), by what is paid for (`lab.virtual.cost`); nothing by default.
    costs: dict[str, float] = {}
    #: How often every overlay is brought up, each time with a seed of its own.
    bring_ups: int = 1
    on_fallback: Fallback = "mark"
    #: Of runs of before: repetitions of a cell at most, in place of samples that did not count.
    spares: int = 0
    overlays: dict[str, OverlayState] = {}
    environment: dict[str, Any] = {}
    calibration: dict[str, Any] = {}
    #: Links that were not what was asked and that the user accepted, in words.
    accepted: list[str] = []
    #: SHA-256 of the files in which its experiment's claims are registered, by name, when the run began.
    claims: dict[str, str] = {}
    #: Seconds by phase, and by overlay and phase.
    timing: dict[str, Any] = {}
    #: By overlay; of a bring-up that was repeated, the last.
    resources: dict[str, list[Resources]] = {}
    #: Of a run over several machines: these by name, and the machine of each block by the block's name.
    machines: dict[str, MachineState] = {}
    placed: dict[str, str] = {}
    sessions: list[RunSession] = []

    @field_validator("profile")
    @classmethod
    def _whole_profile(cls, profile: dict[str, Any]) -> dict[str, Any]:
        """Refuse a profile that is no `lab.runs.experiment.Profile`, before a report calculates with it."""
        if profile:
            StoredProfile.model_validate(profile)
        return profile

    @field_validator("profile")
    @classmethod
    def _with_rate_source(cls, profile: dict[str, Any]) -> dict[str, Any]:
        """Return a profile with who chose its rate, which before only the sentence `why` said."""
        if not profile or "rate_source" in profile:
            return profile
        why = str(profile.get("why", ""))
        source = "capacity" if why.startswith(FOUND) else "user" if why == "set by --rate" else "profile"
        return {**profile, "rate_source": source}

    @model_validator(mode="after")
    def _whole_profile_of_before(self) -> Manifest:
        """Add the missing fields to an older profile: bring-ups, and the kernel's own congestion control."""
        if self.profile:
            self.profile.setdefault("bring_ups", self.bring_ups)
            self.profile.setdefault("congestion", "")
            self.profile.setdefault("left_out", "")
        return self

    @field_validator("environment")
    @classmethod
    def _without_former_packages(cls, environment: dict[str, Any]) -> dict[str, Any]:
        """Leave out versions that are not stored any more, so that a run of before can be resumed."""
        versions = environment.get("versions")
        if not isinstance(versions, Mapping):
            return environment
        kept = {name: version for name, version in versions.items() if name not in FORMER_PACKAGES}
        return {**environment, "versions": kept}


def check_same(stored: Manifest, now: Manifest) -> None:
    """Refuse to resume under other conditions than those that the stored samples had.

    Raises:
        RunError: something in `FIXED` or `FIXED_ENVIRONMENT` differs.
    """
    differing = [key for key in FIXED if getattr(stored, key) != getattr(now, key)]
    was, is_ = stored.environment, now.environment
    differing += [key for key in FIXED_ENVIRONMENT if was.get(key) != is_.get(key)]
    if differing:
        words = "; ".join(f"{key} was {_show(stored, key)}, is {_show(now, key)}" for key in differing)
        raise RunError(f"run {stored.run} cannot be resumed here: {words}; start a new run instead")


def _show(manifest: Manifest, key: str) -> str:
    value = getattr(manifest, key, None)
    value = manifest.environment.get(key) if value is None else value
    if isinstance(value, Mapping):
        return f"another ({len(value)} entries)"
    return repr(value)
