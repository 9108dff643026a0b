"""The form of our own YAML files: topologies, and the side files of documents.

The JSON Schema of a topology file is made from them and kept in
``docs/reference/topologies/topology.schema.json``, for editors that check while one types.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lab.errors import TopologyError
from lab.formats import yaml_loader
from lab.topology import units
from lab.topology.impairments import similar
from lab.topology.sites import SITES
from lab.topology.validation import NAME, RANGES, Routing


def _range(name: str) -> Any:
    least, most, unit = RANGES[name]
    known = units.UNITS.get(unit)
    text = {"type": "string", "pattern": rf"^\s*[\d.]+\s*({'|'.join(known)})(/s)?\s*$"} if known else None

    def with_text(schema: dict[str, Any]) -> None:
        schema["anyOf"] = [*schema["anyOf"], *([text] if text else [])]

    return Field(default=None, ge=least, le=most, description=unit, json_schema_extra=with_text)


def _in(unit: str) -> Any:
    """Read a text with a unit, such as ``10ms``, before it is checked as a number."""
    return BeforeValidator(partial(units.read, unit=unit))


Ms = Annotated[float | None, _in("ms")]
Mbit = Annotated[float | None, _in("Mbit/s")]
Percent = Annotated[float | None, _in("percent")]


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

    delay: Ms = _range("delay")
    rate: Mbit = _range("rate")
    jitter: Ms = _range("jitter")
    distribution: Distribution | None = Field(default=None, description="of the jitter")
    loss: Percent = _range("loss")
    burst: float | None = _range("burst")
    duplicate: Percent = _range("duplicate")
    corrupt: Percent = _range("corrupt")
    reorder: Percent = _range("reorder")
    queue: int | None = _range("queue")


class LinkParameters(DirectionModel):
    """Impairments of a link, and where one direction differs."""

    rtt: Ms = _range("rtt")
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
    rtt: Ms = _range("rtt")


class ChangeModel(DirectionModel, _ChangedLink):
    """A change of a link while an experiment measures: parameters, an action, or a recorded trace."""

    loss: Percent = Field(default=None, ge=0, le=100, description="percent")
    down: Literal[True] | None = None
    up: Literal[True] | None = None
    reset: Literal[True] | None = Field(default=None, description="as the link was at first")
    trace: str | None = Field(
        default=None, description="a CSV file with the columns time, delay, rate, loss, beside this one"
    )


class HostModel(Model):
    """A host."""

    site: str | None = Field(default=None, description="one of the known sites, or one of this file's own")
    coordinates: Place | None = Field(default=None, description="instead of a site")
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
    hosts: dict[Name, str | HostModel | None] = Field(
        description="a site, or more than that, or nothing", min_length=1
    )
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


@dataclass(frozen=True)
class Loaded:
    """A topology's text as its model; where it has faults, the part without them.

    `place` gives the line and the column of a path in `data`, which is the whole text.
    """

    model: TopologyModel
    data: Any
    source: str
    place: Callable[[Sequence[Any]], str]
    faults: list[str]


def load(model: type[M], text: str, source: str) -> M:
    """The YAML text as this model.

    Raises:
        TopologyError: naming every fault, with its line and column.
    """
    data, place = yaml_loader.located(text, source)
    try:
        return _validated(model, data)
    except ValidationError as error:
        faults = _faults(error, source, place)
        raise TopologyError("\n".join(faults), faults) from error


def load_part(text: str, source: str) -> Loaded:
    """The YAML text of a topology as its model, without what is wrong in it: the rest can have other faults.

    Raises:
        TopologyError: naming every fault, with its line and column; too little is left without them.
    """
    data, place = yaml_loader.located(text, source)
    try:
        return Loaded(_validated(TopologyModel, data), data, source, place, [])
    except ValidationError as error:
        faults = _faults(error, source, place)
        try:
            part = _validated(TopologyModel, _without(data, _told(error)))
        except (ValidationError, LookupError, TypeError, ValueError, AttributeError):
            raise TopologyError("\n".join(faults), faults) from error
        return Loaded(part, data, source, place, faults)


def _faults(error: ValidationError, source: str, place: Callable[[Sequence[Any]], str]) -> list[str]:
    return list(dict.fromkeys(f"{source}{_fault(fault, place)}" for fault in _told(error)))


def _told(error: ValidationError) -> list[Any]:
    """Return the faults to tell: a host is a site or a mapping, and a faulty mapping is no text either."""
    found = error.errors(include_url=False)
    return [fault for fault in found if fault["loc"][-1:] != ("str",)] or found[:1]


def _validated(model: type[M], data: Any) -> M:
    # in JSON's terms and strictly: "5" is no number, but a list may be a pair
    return model.model_validate_json(json.dumps(data, default=str), strict=True)


def _without(data: Any, found: Sequence[Any]) -> Any:
    """Return data without what these faults are about: an attribute of a link, a whole host, and so on."""
    part = copy.deepcopy(data)
    links = set()
    for first, *rest in (_path(fault) for fault in found):
        if first == "links" and rest:
            _, *attribute = rest
            if attribute and attribute[0] != "between":
                part["links"][rest[0]].pop(attribute[0], None)
            else:
                links.add(rest[0])
        elif first == "hosts" and rest:
            _mend_host(part["hosts"], *rest)
        elif first == "sites" and rest:
            part["sites"][rest[0]] = [0, 0]
        elif first == "name":
            part["name"] = "x"
        else:
            part.pop(first, None)
    part["links"] = [link for number, link in enumerate(part.get("links", [])) if number not in links]
    return part


def _mend_host(hosts: dict[str, Any], name: str, attribute: str = "", *_: Any) -> None:
    """Take a fault out of a host; one without its site gets some, so that its links are not at fault."""
    somewhere = next(iter(SITES))
    if not NAME.fullmatch(name):
        del hosts[name]
    elif attribute == "site" or not attribute:
        hosts[name] = somewhere
    else:
        hosts[name].pop(attribute)


def _path(fault: Any) -> list[Any]:
    return [step for step in fault["loc"] if step not in ("str", "HostModel", "[key]")]


_TIME = "write a number of ms, or one with a unit: 10, 10ms, 2s"
#: What to write for a quantity that is no number.
QUANTITIES = {
    **dict.fromkeys(("rtt", "delay", "jitter"), _TIME),
    "rate": "write a number of Mbit/s, or one with a unit: 50, 50Mbit, 1Gbit",
    "loss": "write a number of percent: 1, 0.5, 1%",
}


def _fault(fault: Any, place: Callable[[Sequence[Any]], str]) -> str:
    path = _path(fault)
    said = {
        "extra_forbidden": "not known here",
        "missing": "is missing",
        "string_pattern_mismatch": "a name is a letter, then letters, digits, '_' and '-'",
    }
    if path[:1] == ["hosts"] and fault["type"] == "model_type":
        said["model_type"] = (
            f"write a site, as '{path[-1]}: AMS' or '{path[-1]}: {{site: AMS, cpus: 2}}', "
            f"or its place, as '{path[-1]}: {{coordinates: [59.91, 10.75]}}'"
        )
    if path[-1:] and path[-1] in QUANTITIES:
        said |= dict.fromkeys(("float_parsing", "float_type"), QUANTITIES[path[-1]])
    what = said.get(fault["type"], fault["msg"][:1].lower() + fault["msg"][1:]).removeprefix("value error, ")
    if fault["type"] == "extra_forbidden" and (meant := similar(str(path[-1]), _known(path))):
        what += f"; did you mean {meant!r}?"
    return f"{place(path)}: {'.'.join(map(str, path)) or 'the file'}: {what}"


def _known(path: Sequence[Any]) -> list[str]:
    """Return the names that a mapping at this path can have."""
    kinds: dict[Any, type[Model]] = {"hosts": HostModel, "links": LinkModel, "schedule": ChangeModel}
    kind = TopologyModel if len(path) < 2 else DirectionModel if "from" in path else kinds.get(path[0])
    return [one.alias or name for name, one in kind.model_fields.items()] if kind else []


def schema() -> str:
    """The JSON Schema of a topology file, as text."""
    return json.dumps(TopologyModel.model_json_schema(), indent=2) + "\n"
