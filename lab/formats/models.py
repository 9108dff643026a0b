"""The form of our own YAML files: topologies, and the side files of documents.

The JSON Schema of a topology file is made from them and kept in
``docs/reference/topologies/topology.schema.json``, for editors that check while one types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import TopologyError
from lab.formats import yaml_loader
from lab.topology.validation import NAME, RANGES, Routing


def _range(name: str) -> Any:
    least, most, unit = RANGES[name]
    return Field(default=None, ge=least, le=most, description=unit)


Name = Annotated[
    str, Field(pattern=f"^{NAME.pattern}$", description="a letter, then letters, digits, _ and -")
]
Place = Annotated[
    tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=180)]],
    Field(description="latitude and longitude in degrees"),
]


class Model(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


Distribution = Literal["normal", "uniform", "pareto"]


class DirectionModel(Model):
    """Impairments of packets, per direction."""

    delay: float | None = _range("delay")
    rate: float | None = _range("rate")
    jitter: float | None = _range("jitter")
    distribution: Distribution | None = Field(default=None, description="of the jitter")
    loss: float | None = _range("loss")
    burst: float | None = _range("burst")
    duplicate: float | None = _range("duplicate")
    corrupt: float | None = _range("corrupt")
    reorder: float | None = _range("reorder")
    queue: int | None = _range("queue")


class LinkParameters(DirectionModel):
    """Impairments of a link, and where one direction differs."""

    rtt: float | None = _range("rtt")
    mtu: int | None = _range("mtu")
    from_: dict[Name, DirectionModel] | None = Field(
        default=None, alias="from", description="what holds only for packets from this one of the two hosts"
    )


class _ChangedLink(Model):
    at: float | str = Field(default=0, description="when measuring has gone on for so long: 30, 30s, 2min")
    link: str
    from_: Name | None = Field(
        default=None, alias="from", description="the host into whose direction it holds"
    )
    rtt: float | None = _range("rtt")


class ChangeModel(DirectionModel, _ChangedLink):
    """A change of a link while an experiment measures: parameters, an action, or a recorded trace."""

    loss: float | None = Field(default=None, ge=0, le=100, description="percent")
    down: Literal[True] | None = None
    up: Literal[True] | None = None
    reset: Literal[True] | None = Field(default=None, description="as the link was at first")
    trace: str | None = Field(
        default=None, description="a CSV file with the columns time, delay, rate, loss, beside this one"
    )


class HostModel(Model):
    """A host."""

    site: str = Field(description="one of the known sites, or one of this file's own")
    cpus: float | None = _range("cpus")
    image: str | None = Field(default=None, description="the container image that the host is made from")
    kind: Literal["host", "ofx", "vsi", "baremetalserver"] = Field(
        default="host", description="what the testbed calls it"
    )


class LinkModel(LinkParameters):
    """A link; without `rtt` the published or estimated round trip between the two sites is taken."""

    between: tuple[Name, Name] = Field(description="the two hosts")
    name: str | None = Field(default=None, description="instead of the two hosts' names")


class TopologyModel(Model):
    """A topology."""

    name: str
    description: str = ""
    separate_parts: bool = Field(default=False, description="it may consist of parts that do not touch")
    routing: Routing = Field(
        default="delay", description="whether the shortest path has the least round trip, or the fewest links"
    )
    sites: dict[str, Place] = Field(default={}, description="sites beyond the known ones")
    hosts: dict[Name, str | HostModel] = Field(description="a site, or more than that", min_length=1)
    links: list[LinkModel] = []
    schedule: list[ChangeModel] = Field(
        default=[], description="what happens to links while measuring goes on"
    )


#: The value of what a side file does not say; unlike what may be null, it is never written there.
_ABSENT: Any = None


class SideHost(Model):
    """The part of a host that a document cannot hold."""

    name: Name = _ABSENT
    number: Annotated[int, Field(ge=1)] = _ABSENT
    cpus: float | None = _range("cpus")
    image: str | None = None


class SideLink(LinkParameters):
    """The part of a link that a document cannot hold."""

    name: str = _ABSENT
    number: Annotated[int, Field(ge=1)] = _ABSENT


class SideModel(Model):
    """A side file; hosts and links by the ids that they have in its document."""

    lab: Literal[1] = Field(description="the version of this form")
    name: str = _ABSENT
    separate_parts: bool = _ABSENT
    routing: Routing = "delay"
    sites: dict[str, Place] = {}
    hosts: dict[str, SideHost] = {}
    links: dict[str, SideLink] = {}
    schedule: list[ChangeModel] = []


M = TypeVar("M", bound=Model)


def load(model: type[M], text: str, source: str) -> M:
    """The YAML text as this model.

    Raises:
        TopologyError: naming every fault, with its line.
    """
    data, place = yaml_loader.located(text, source)
    try:
        # in JSON's terms and strictly: "5" is no number, but a list may be a pair
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        # a host is a site or a mapping; of a faulty mapping nobody wants to hear that it is no text
        faults = [_fault(f, place) for f in found if f["loc"][-1:] != ("str",)] or [_fault(found[0], place)]
        raise TopologyError("\n".join(f"{source}{fault}" for fault in faults), faults) from error


def _fault(fault: Any, place: Callable[[Sequence[Any]], str]) -> str:
    path = [step for step in fault["loc"] if step not in ("str", "HostModel", "[key]")]
    said = {
        "extra_forbidden": "not known here",
        "missing": "is missing",
        "string_pattern_mismatch": "a name is a letter, then letters, digits, '_' and '-'",
    }
    what = said.get(fault["type"], fault["msg"][:1].lower() + fault["msg"][1:])
    return f"{place(path)}: {'.'.join(map(str, path)) or 'the file'}: {what}"


def schema() -> str:
    """The JSON Schema of a topology file, as text."""
    return json.dumps(TopologyModel.model_json_schema(), indent=2) + "\n"
