"""A sample: one measured repetition of a cell, as it is stored (docs/reference/run-folder.md).

The schema is versioned: a folder of another version is refused, never guessed at.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

#: Raised whenever a field changes its name or its meaning.
SCHEMA: Literal[1] = 1

State = Literal["valid", "host-bound", "emulator-bound", "broken"]
#: The verdicts of samples that count.
COUNTING: frozenset[str] = frozenset({"valid", "host-bound"})
Clock = Literal["real", "virtual"]
CLOCKS: tuple[str, ...] = get_args(Clock)
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Verdict(BaseModel):
    """Judgement of a sample as one of the network; made in `lab.runs.verdict`."""

    model_config = ConfigDict(frozen=True)
    state: State = "valid"
    reasons: list[str] = []


class Sample(BaseModel):
    """One line of ``samples.jsonl``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA
    run: str
    cell: str
    overlay: str
    metric: str
    params: dict[str, Any] = {}
    #: Counts from 1; `attempt` too, and is above 1 where an earlier attempt failed.
    repetition: int = Field(ge=1)
    attempt: int = Field(1, ge=1)
    #: The bring-up of the overlay in which it was measured, from 1.
    bring_up: Annotated[int, Field(ge=1)] = 1
    #: The clock by which it was measured, and what work costs in virtual time (`lab.virtual.cost`).
    clock: Clock = "real"
    costs: dict[str, Finite] = {}
    #: ISO 8601, UTC; a virtual date in virtual time.
    started: str
    #: Duration of the measurement by its clock (s), hand-shakes included.
    seconds: Finite
    outcome: Literal["ok", "failed"]
    #: True for a failure of the traffic itself, e.g. a lost answer or a broken connection: data, no retry.
    collapsed: bool = False
    error: str | None = None
    values: dict[str, Finite] = {}
    facts: dict[str, str] = {}
    mode: dict[str, str] = {}
    #: The overlay's mode after the sample, where it was another one than before; and in words what
    #: changed, or was no longer as at the overlay's first sample.
    mode_after: dict[str, str] = {}
    changed: list[str] = []
    #: What the overlay's data path counted during the sample.
    datapath: dict[str, int] = {}
    verdict: Verdict = Verdict()
    machine: dict[str, Any] = {}
    links: dict[str, Any] = {}
    congestion_control: str | None = None
    argv: list[str] = []
    #: The tool's own output, relative to the run folder, and its SHA-256.
    raw: str | None = None
    raw_sha256: str | None = None

    @property
    def on(self) -> str:
        """The machine that measured it, in a run over several; empty in other runs, and in virtual time."""
        return str(self.machine.get("name", ""))

    @property
    def ok(self) -> bool:
        """True when the tool measured; the verdict says what that is worth."""
        return self.outcome == "ok"

    @property
    def measured(self) -> bool:
        """True when there is an outcome of the network: a measurement, or a collapse of the traffic."""
        return self.ok or self.collapsed

    @property
    def valid(self) -> bool:
        """True when the sample counts in a mean: measured, and not limited by the emulator or broken.

        A collapse counts as one: nothing was carried (`lab.report.selection`).
        A host at its own CPU quota is part of what is emulated (the studies' VMs had one
        vCPU), so such a sample counts; it stays marked.
        """
        return self.measured and self.verdict.state in COUNTING

    def line(self) -> str:
        """The sample as one line of JSON, with its newline."""
        return self.model_dump_json() + "\n"
