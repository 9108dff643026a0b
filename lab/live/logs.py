"""Where the daemons of a lab write: the files on its hosts, read from outside, and Docker's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.emulation.registry import HostRecord, Record
from lab.errors import LabError, UnknownName
from lab.hosts.daemons import LOGS

#: The process behind the links, where a shaper needs one.
WIRE = "wire"


def commands(record: Record, which: str, last: int, follow: bool) -> dict[str, list[str]]:
    """The commands that print the last lines of each log that is meant, by ``HOST DAEMON``.

    Raises:
        UnknownName: there is no such host or overlay; the error has the nearest name.
        LabError: nothing was written.
    """
    found = dict(_sources(record, which, last, follow))
    if not found:
        raise LabError(f"{which} of lab {record.name} has written nothing")
    return found


def _sources(record: Record, which: str, last: int, follow: bool) -> Iterator[tuple[str, list[str]]]:
    hosts = {host.name: host for host in record.hosts}
    overlays = {one.spec.partition(":")[0]: one for one in record.overlays}
    overlays |= {one.spec: one for one in record.overlays}
    if which in hosts:
        if hosts[which].confined:
            yield which, _docker(hosts[which], last, follow)
        for file in _files(hosts[which]):
            yield f"{which} {file.stem}", _tail(file, last, follow)
    elif which in overlays:
        name = overlays[which].spec.partition(":")[0]
        for host in (hosts[one] for one in overlays[which].hosts if one in hosts):
            files = [file for file in _files(host) if file.stem in daemons(name)]
            for file in files:
                yield f"{host.name} {file.stem}", _tail(file, last, follow)
    elif which == WIRE:
        yield WIRE, _tail(record.state.folder / "shaper" / "wire.log", last, follow)
    else:
        raise UnknownName("host or overlay", which, [*hosts, *overlays])


def daemons(overlay: str) -> Iterable[str]:
    """What the logs of an overlay's daemons are called."""
    # libnetwork is Docker's own overlay: its daemon is Docker's
    return {overlay, f"etcd-{overlay}", f"{overlay}d", f"{overlay}r"} | (
        {"dockerd"} if overlay == "libnetwork" else set()
    )


def _files(host: HostRecord) -> list[Path]:
    return sorted((Path(f"/proc/{host.pid}/root") / LOGS.lstrip("/")).glob("*.log"))


def _tail(file: Path, last: int, follow: bool) -> list[str]:
    return ["tail", "-n", str(last), *(["-F"] if follow else []), str(file)]


def _docker(host: HostRecord, last: int, follow: bool) -> list[str]:
    """What the first process of a container of a user's own image wrote."""
    return ["docker", "logs", "--tail", str(last), *(["--follow"] if follow else []), host.container]
