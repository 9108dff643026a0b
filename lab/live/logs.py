"""Log files of a lab's daemons: those on its hosts, read from outside, and Docker's own of a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lab.emulation.registry import HostRecord, OverlayRecord, Record
from lab.errors import LabError, UnknownName
from lab.events import Emit, Note, silent
from lab.hosts.daemons import LOGS
from lab.live import host_files

#: The process behind the links, where a shaper needs one.
WIRE = "wire"


def commands(
    record: Record, which: str, last: int, follow: bool, emit: Emit = silent
) -> dict[str, list[str]]:
    """Return the commands that print the last lines of each log that is meant, by ``HOST DAEMON``.

    `which` is a host, an overlay, or `WIRE`; `emit` is told where more is shown than was asked for, or less.
    The files of hosts are open from now on, and this process has to last as long as the commands.

    Raises:
        UnknownName: there is no such host or overlay; the error has the nearest name.
        LabError: nothing was written.
    """
    hosts = {host.name: host for host in record.hosts}
    overlays = {one.spec.partition(":")[0]: one for one in record.overlays}
    overlays |= {one.spec: one for one in record.overlays}
    sources: dict[str, list[str]] = {}
    if which in hosts:
        host = hosts[which]
        if host.confined:  # a container of a user's own image: its first process writes to Docker's log
            flags = ["--tail", str(last), *(["--follow"] if follow else [])]
            sources[which] = ["docker", "logs", *flags, host.container]
        meant = [(host, name) for name in _logs(host)]
        sources |= {one: _tail(file, last, follow) for one, file in _opened(meant, emit)}
    elif which in overlays:
        if overlays[which].logs is None:
            emit(Note(f"the record of lab {record.name} does not name the logs of {which}: all are shown"))
        meant = list(_of_overlay(overlays[which], hosts))
        sources |= {one: _tail(file, last, follow) for one, file in _opened(meant, emit)}
    elif which == WIRE:
        sources[WIRE] = _tail(record.state.folder / "shaper" / "wire.log", last, follow)
    else:
        raise UnknownName("host or overlay", which, [*hosts, *overlays])
    if not sources:
        raise LabError(f"{which} of lab {record.name} has written nothing")
    return sources


def _of_overlay(overlay: OverlayRecord, hosts: dict[str, HostRecord]) -> Iterator[tuple[HostRecord, str]]:
    """The logs of an overlay's daemons by host; every log, where the record is too old to name them."""
    for name in overlay.hosts:
        for log in _logs(hosts[name]) if name in hosts else ():
            if overlay.logs is None or log.removesuffix(".log") in overlay.logs:
                yield hosts[name], log


def _logs(host: HostRecord) -> list[str]:
    return host_files.names(host.process, LOGS, ".log")


def _opened(meant: list[tuple[HostRecord, str]], emit: Emit) -> Iterator[tuple[str, Path]]:
    """Every log by ``HOST DAEMON``, as a path to the file that is open here; one that is none is named."""
    for host, log in meant:
        try:
            file = host_files.open_file(host.process, f"{LOGS}/{log}")
        except OSError as error:
            emit(Note(f"{host.name}: {log} is not shown: {error.strerror or error}"))
            continue
        # by name, a link that the host puts in its place would be followed
        yield f"{host.name} {log.removesuffix('.log')}", Path(f"/proc/{os.getpid()}/fd/{file}")


def _tail(file: Path, last: int, follow: bool) -> list[str]:
    return ["tail", "-n", str(last), *(["-F"] if follow else []), str(file)]
