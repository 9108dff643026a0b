"""The order for one block: all that another process needs to measure it, as data that is checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.app.request import RunPlan, RunRequest, load_experiment
from lab.errors import RunError
from lab.runs.experiment import Profile
from lab.runs.manifest import Fallback, StoredProfile
from lab.runs.sample import Clock
from lab.topology import Topology
from overlays import registry

Name = Annotated[str, Field(min_length=1, max_length=300)]
Price = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class BlockOrder(BaseModel):
    """One overlay, to be brought up once and measured; names and numbers only, and no code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: Name
    topology: dict[str, Any]
    profile: StoredProfile
    overlay: Name
    only: list[Name] = []
    on_fallback: Fallback = "mark"
    accept_links: bool = False
    costs: dict[Name, Price] = {}
    seed: Annotated[int, Field(ge=0)]
    clock: Clock
    daemons: Literal["docker", "none"]
    shaper: Literal["auto", "netem", "wire"] = "auto"
    record: bool = True

    @classmethod
    def of(cls, request: RunRequest, plan: RunPlan, overlay: str, seed: int) -> BlockOrder:
        """Return the order for one block of a run."""
        virtual = request.clock == "virtual"
        return cls(
            experiment=plan.experiment.name,
            topology=plan.topology.to_dict(),
            profile=StoredProfile(**{**asdict(plan.profile), "bring_ups": 1}),
            overlay=overlay,
            only=list(request.only),
            on_fallback=request.on_fallback,
            accept_links=request.accept_links,
            costs=dict(request.costs),
            seed=seed,
            clock=request.clock,
            daemons="none" if plan.daemons == "none" or virtual else "docker",
            shaper="netem" if virtual else _shaper(request.shaper),
            record=request.record,
        )

    @classmethod
    def read(cls, text: str | bytes) -> BlockOrder:
        """Read an order that came from another process.

        Raises:
            RunError: it is none; names the field.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "document"
            raise RunError(f"the order for a block cannot be read: {where}: {first['msg']}") from None

    def plan(self, results: Path) -> tuple[RunRequest, RunPlan]:
        """Return the run of this one block, with its run folder below `results`.

        Raises:
            UnknownName: there is no experiment or overlay of that name here.
            TopologyError: the topology has faults.
        """
        plan = RunPlan(
            load_experiment(self.experiment),
            Topology.from_dict(self.topology),
            Profile(**self.profile.model_dump()),
            {self.overlay: registry.parse(self.overlay)},
            daemons=self.daemons,
        )
        request = RunRequest(
            self.experiment,
            overlays=(self.overlay,),
            only=tuple(self.only),
            costs=self.costs,
            clock=self.clock,
            daemons=self.daemons,
            shaper=self.shaper,
            results=results,
            on_fallback=self.on_fallback,
            accept_links=self.accept_links,
            seed=self.seed,
            record=self.record,
        )
        return request, plan


def _shaper(name: str) -> Literal["auto", "netem", "wire"]:
    return "netem" if name == "netem" else "wire" if name == "wire" else "auto"
