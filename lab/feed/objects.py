"""The objects of the feed, and their JSON Schema (docs/reference/events.md).

An object is a plain dictionary, one line of JSON. The classes here only say what it holds: for the
checker of types, and for the schema. The hot path makes thousands of rows a second, so nothing is
validated there; the tests validate every object that the code makes.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, NotRequired, get_args

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict  # that of Python 3.11 is not for pydantic

#: Raised whenever a field changes its name or its meaning.
VERSION: Final = 1
#: The columns of a row of `Links`: one direction of one link.
COLUMNS: Final = (
    "link",
    "dir",
    "rate_mbit_s",
    "packets_s",
    "rtt_ms",
    "loss_percent",
    "queue_packets",
    "queue_bytes",
    "drops",
    "lateness_ms",
    "keeps",
)

#: "from" is a word of the language: a field of this name cannot be written in a class.
_From = TypedDict("_From", {"from": str})

#: A row of `Links`; see `COLUMNS`.
Row = list[float | int | None]


class Asked(TypedDict):
    """The settings of one direction of a link: ms, Mbit/s (null: no limit), percent, bytes."""

    delay_ms: float
    rate_mbit_s: float | None
    loss_percent: float
    jitter_ms: float
    queue_bytes: int | None
    queue_packets: int | None
    down: bool


class AskedLink(TypedDict):
    """The settings of a link from a to b, and from b to a where they differ."""

    asked: Asked
    asked_back: NotRequired[Asked]


class TopologyHost(TypedDict):
    """A host of a topology; `place` is latitude and longitude (degrees), `cpus` its quota of processors.

    `at` has its position in the picture, by layout (``structure`` or ``map``): points, down and to the right.
    """

    name: str
    site: NotRequired[str]
    place: NotRequired[list[float]]
    at: NotRequired[dict[str, list[float]]]
    cpus: NotRequired[float | None]


class TopologyLink(AskedLink):
    """A link of a topology, between hosts `a` and `b`."""

    id: str
    a: str
    b: str


class TopologyObject(TypedDict):
    """Hosts and links; the rows of `Links` count the links in this order, from 0."""

    name: str
    hosts: list[TopologyHost]
    links: list[TopologyLink]


class Head(TypedDict):
    """Fields that every object has: the version of the schema, and Unix time (s)."""

    v: Literal[1]
    t: float


class LabObject(Head):
    """A lab: sent first, and again when hosts, links or its state change."""

    kind: Literal["lab"]
    lab: str
    state: Literal["up", "changed", "gone"]
    topology: TopologyObject
    shaper: str
    clock: Literal["real", "virtual"]


class LinksObject(Head):
    """Links as measured during the last interval: a row for each direction that has news.

    `why` has a sentence by the number of a link that does not keep to what was asked, or of which
    nothing is known. `asked` has the settings of links that were changed.
    """

    kind: Literal["links"]
    lab: str
    columns: list[str]
    rows: list[Row]
    why: dict[str, str]
    asked: NotRequired[dict[str, AskedLink]]


class DaemonState(TypedDict):
    """A daemon of an overlay on a host; `said` is the end of its log, once it has ended."""

    name: str
    state: Literal["runs", "ended"]
    said: NotRequired[str]


class HostObject(Head):
    """A host: CPU (100 is one processor) and memory are null where it has no control group."""

    kind: Literal["host"]
    lab: str
    host: str
    up: bool
    why: NotRequired[str]
    cpu_percent: float | None
    cpu_quota_percent: float | None
    memory_bytes: int | None
    memory_limit_bytes: int | None
    daemons: list[DaemonState]


class EndpointPlace(TypedDict):
    """An endpoint of an overlay: its container, its host, its address."""

    name: str
    host: str
    address: str


class OverlayRoute(_From):
    """A path through an overlay, host by host."""

    to: str
    path: list[str]
    hops: int


class OverlayObject(Head):
    """An overlay of a lab; `routes` is null where it is asked for by ``/path``."""

    kind: Literal["overlay"]
    lab: str
    overlay: str
    mode: str
    encrypted: bool | None
    endpoints: list[EndpointPlace]
    routes: list[OverlayRoute] | None
    state: Literal["up", "broken", "removed"]


class RunCell(TypedDict):
    """A cell of a run's grid; its labels are its parameters."""

    id: str
    overlay: str
    labels: dict[str, str]
    repetitions: int


class RunObject(Head):
    """A run: how far it is, and at first its grid, which stays.

    A slot of the grid is a cell, a bring-up and a repetition.
    """

    kind: Literal["run"]
    run: str
    experiment: str
    state: Literal["planned", "running", "done", "interrupted", "failed"]
    done: int
    total: int
    seconds_left: float | None
    cells: NotRequired[list[RunCell]]
    repetitions: NotRequired[int]
    bring_ups: NotRequired[int]
    folder: NotRequired[str]
    lab: NotRequired[str]


class VerdictWords(TypedDict):
    """A verdict: if the sample counts, its state, and the reasons."""

    counts: bool
    words: list[str]
    sentences: list[str]


class SampleObject(Head):
    """A sample, when it starts and when it was judged."""

    kind: Literal["sample"]
    run: str
    cell: str
    overlay: str
    repetition: int
    bring_up: int
    state: Literal["running", "measured", "collapsed", "failed"]
    metrics: NotRequired[dict[str, float]]
    verdict: NotRequired[VerdictWords]


class FigureObject(Head):
    """A figure of a run, as SVG; only the page gets it."""

    kind: Literal["figure"]
    run: str
    name: str
    svg: str


class VerdictNow(TypedDict):
    """If a sample would count that was measured during the last interval, and why not."""

    counts: bool
    sentences: list[str]


class MachineObject(Head):
    """This machine: CPU in use (100 is all of it), load, free memory (bytes)."""

    kind: Literal["machine"]
    cpu_percent: float
    load: float
    memory_free_bytes: int
    verdict_now: VerdictNow


class EventObject(Head):
    """Something that happened, in words."""

    kind: Literal["event"]
    level: Literal["info", "warning", "error"]
    text: str
    lab: NotRequired[str]
    run: NotRequired[str]
    subject: NotRequired[str]


class PingObject(Head, _From):
    """An echo that was asked for; null where no answer came."""

    kind: Literal["ping"]
    lab: str
    rtt_ms: float | None
    to: str


FeedObject = (
    LabObject
    | LinksObject
    | HostObject
    | OverlayObject
    | RunObject
    | SampleObject
    | FigureObject
    | MachineObject
    | EventObject
    | PingObject
)
_PARTS = (
    Asked,
    AskedLink,
    TopologyHost,
    TopologyLink,
    TopologyObject,
    DaemonState,
    EndpointPlace,
    OverlayRoute,
)
# a field that is not here is an error, of a sender or of a page
for _part in (*get_args(FeedObject), *_PARTS, RunCell, VerdictWords, VerdictNow):
    setattr(_part, "__pydantic_config__", ConfigDict(extra="forbid"))  # noqa: B010  types have no such name
#: Any object, as code passes it on.
Plain = dict[str, Any]


def adapter() -> TypeAdapter[FeedObject]:
    """Return what validates objects, by their kind."""
    return TypeAdapter(Annotated[FeedObject, Field(discriminator="kind")])


def schema() -> str:
    """Return the JSON Schema of an object, as text."""
    found = adapter().json_schema()
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An object of the feed of lab events",
    }
    return json.dumps({**head, **found}, indent=2) + "\n"


def loads(line: bytes) -> Plain:
    """Return the object of a line, without looking further than at its kind and its version.

    Raises:
        ValueError: it is no object of this version of the feed.
    """
    plain = json.loads(line)
    if not isinstance(plain, dict) or plain.get("v") != VERSION or not isinstance(plain.get("kind"), str):
        raise ValueError(f"{line[:40]!r} is no object of version {VERSION} of the feed")
    if not isinstance(plain.get("t"), int | float):
        raise ValueError(f"{line[:40]!r} has no time")
    return plain
