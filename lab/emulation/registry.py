"""The labs of this machine, written down: enough for another process to attach to one.

One file per lab, `STATE/labs/<id>.json`, replaced at once with every change. It outlives a
restart of the machine, unlike the lab itself, so that `lab ps` can say what became of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.emulation.ownership import LabState, Process, boot_id, labs
from lab.errors import LabError, UnknownName
from lab.events import silent
from lab.util import paths
from lab.util.files import make_folder, replace
from lab.util.locks import machine_lock
from lab.util.version import number

#: Daemons that the hosts of a lab may have: a Docker daemon each, or none (then they are light hosts).
DAEMONS = DOCKER, NONE = ("docker", "none")
#: A name that a lab may have.
NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class HostRecord:
    """A host: its container, and its first process with the start time of that (clock ticks).

    A light host has no container. `confined` is a container of a user's own image, which has no Docker daemon
    inside. `env` has the names of its commands' variables, whose values may be secret: they are in the host
    only.
    """

    name: str
    number: int
    site: str
    addresses: tuple[str, ...]
    container: str
    container_id: str
    pid: int
    started: int
    confined: bool = False
    env: tuple[str, ...] = ()

    @property
    def light(self) -> bool:
        """True for namespaces without a container and without a Docker daemon."""
        return not self.container

    @property
    def process(self) -> Process:
        return Process(self.pid, self.started)

    def environment(self) -> dict[str, str]:
        """The variables of its commands, by what its first process was given; {} where that is gone."""
        try:
            variables = Path(f"/proc/{self.pid}/environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return {}
        given = dict(one.split("=", 1) for one in variables if "=" in one)
        return {name: given[name] for name in self.env if name in given}


@dataclass(frozen=True)
class OverlayRecord:
    """An overlay that was put on a lab: how it was asked for (``weave:mode=sleeve``), on which hosts.

    `mode` is what ran when it got ready; `endpoints` are those attached so far; `logs` names the log files
    of its daemons, None in a record that was written before they were recorded. Secrets are not here: the
    overlay reads them back from its hosts.
    """

    spec: str
    hosts: tuple[str, ...]
    mode: dict[str, str] = field(default_factory=dict)
    endpoints: tuple[dict[str, Any], ...] = ()
    logs: tuple[str, ...] | None = None


@dataclass
class Record:
    """One lab. `topology` and `links` are as `Topology.to_dict` and `LinkSpec` have them.

    `daemons` is one of `DAEMONS`; `mark` is what its processes and containers carry (see `ownership`).
    `damaged` says what is wrong with a file that cannot be read: nothing else is known then but the id.
    `version` is that of the lab that wrote it; "" in a record that was written before there was this field.
    """

    lab_id: str
    name: str
    boot: str = field(default_factory=boot_id)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    shaper: str = ""
    daemons: str = DOCKER
    topology: dict[str, Any] | None = None
    hosts: list[HostRecord] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    overlays: list[OverlayRecord] = field(default_factory=list)
    mark: str = ""
    version: str = field(default_factory=number)
    damaged: str = ""

    @property
    def state(self) -> LabState:
        return LabState(self.lab_id, self.mark)

    @property
    def rebooted(self) -> bool:
        """True when the machine was restarted since: then nothing of the lab runs."""
        return not self.state.folder.exists() if self.damaged else self.boot != boot_id()

    def save(self) -> None:
        """Replace the file at once, and return when it would survive a power cut."""
        path = _path(self.lab_id)
        make_folder(path.parent)
        stored = asdict(self)
        del stored["damaged"]
        replace(path, json.dumps(stored), mode=0o600, sync=True)


def _path(lab_id: str) -> Path:
    return paths.STATE / "labs" / f"{lab_id}.json"


def read(lab_id: str) -> Record | None:
    """Read the record of the lab of this id; None where there is none. An unreadable record has its error."""
    path = _path(lab_id)
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return Record(lab_id, lab_id, created="", damaged=f"{path} cannot be read ({error})")
    try:
        stored = json.loads(text)
        hosts = [HostRecord(**_with_tuples(one, "addresses", "env")) for one in stored["hosts"]]
        tuples = ("hosts", "endpoints", "logs")
        overlays = [
            OverlayRecord(**_with_tuples({"logs": None, **one}, *tuples)) for one in stored["overlays"]
        ]
        return Record(**{"version": "", **stored, "hosts": hosts, "overlays": overlays})
    except (ValueError, TypeError, KeyError, AttributeError):
        how = _other_version(text) or ("is not whole" if text.strip() else "is empty")
        return Record(lab_id, lab_id, created="", damaged=f"{path} {how}")


def _other_version(text: str) -> str:
    """Say which other version of the lab wrote a record that this one cannot read; else nothing."""
    with suppress(ValueError, TypeError, KeyError):
        wrote, reads = str(json.loads(text)["version"]), number()
        if wrote != reads:
            return f"was written by version {wrote} of the lab, and this is {reads}"
    return ""


def _with_tuples(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {**row, **{key: None if row[key] is None else tuple(row[key]) for key in keys}}


def claim(lab_id: str, name: str = "", daemons: str = DOCKER) -> Record:
    """Make the record of a new lab, under a name that no other lab of this machine has.

    Raises:
        LabError: the name is another lab's, or is no name.
    """
    if name and not NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name of a lab: letters, digits, '.', '_' and '-', not '-' at first")
    with machine_lock("names", silent, "naming a lab"):
        others = {
            word for other in records() if other.lab_id != lab_id for word in (other.name, other.lab_id)
        }
        if name in others:
            raise LabError(f"a lab {name} is up already; give another name, or 'lab down {name}' first")
        record = Record(lab_id, name or lab_id, daemons=daemons, mark=LabState(lab_id).mark)
        record.save()
    return record


def forget(lab_id: str) -> None:
    """Remove a record."""
    _path(lab_id).unlink(missing_ok=True)


def records() -> list[Record]:
    """Read the records of all labs of this machine, the oldest first; also of those that a restart ended."""
    try:
        ids = {path.stem for path in (paths.STATE / "labs").glob("*.json")}
    except OSError:
        ids = set()
    ids |= {state.lab_id for state in labs()}
    # one that was killed at its very start has no record yet
    known = [read(lab_id) or Record(lab_id, lab_id) for lab_id in ids]
    return sorted(known, key=lambda record: (record.created, record.lab_id))


def find(which: str = "", among: Sequence[Record] | None = None) -> Record:
    """Find the lab of this name or id; with no name, the only one there is. Its record is whole.

    Raises:
        UnknownName: no lab has this name; the error has the nearest one.
        LabError: no name was given, and there is no lab, or there are several; or its record is damaged.
    """
    record = find_any(which, among)
    if record.damaged:
        raise LabError(
            f"the record of lab {record.name} is damaged: {record.damaged}; 'lab down {record.name}' "
            "removes the rest of the lab"
        )
    return record


def find_any(which: str = "", among: Sequence[Record] | None = None) -> Record:
    """Find a lab as `find` does, also one whose record is damaged."""
    known = records() if among is None else list(among)
    if which:
        for record in known:
            if which in (record.name, record.lab_id):
                return record
        raise UnknownName("lab", which, (record.name for record in known))
    if len(known) != 1:
        names = ", ".join(sorted(record.name for record in known))
        raise LabError(f"several labs are up; name one of {names}" if known else "no lab is up here")
    return known[0]
