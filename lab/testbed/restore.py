"""Restoring machines: objects that `prepare` and runs made are removed, all others stay.

What was there is in a survey that `prepare` stored on the machine before it changed anything, so
another person on another machine can restore as well. What was made is in a record beside it
(`undo_record`). Without a whole survey nothing is taken away.

Files of ``/etc/docker`` that an overlay changed are put back by its removal, which comes first
(`overlays.common.docker_config`); the folder itself goes here (`_files`) where the lab made it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from lab.errors import HostError
from lab.hosts.daemons import LOGS, PIDS, stop_all_script
from lab.hosts.host import CommandRunner, Host
from lab.testbed import dataplane, survey, undo_record
from lab.testbed.reservation import FOLDER
from lab.testbed.survey import FOLDERS, FORWARD, UNLISTED, Survey
from lab.testbed.undo_record import Made

BEFORE = f"{FOLDER}/before"
#: Names of interfaces that were touched, one a line, written before they are.
TOUCHED = f"{FOLDER}/touched"
OVERLAYS = f"{FOLDER}/overlays"
#: Folders in which there is nothing but the lab's. Others are shared: they go when they are empty.
OWN_FOLDERS = ("/usr/local/lib/lab", LOGS)
#: What the lab leaves in folders that it shares with others.
LEFTOVERS = {PIDS: f"{PIDS}/*.pid {PIDS}/*.started", "/run/lab": "/run/lab/docker.sock"}
NOT_WHOLE = (
    f"the survey of the machine's first state, {BEFORE}, is damaged or of an older version, so nothing "
    "was removed there. Restore with the version of the lab that prepared the machine. Or remove by hand "
    f"the objects that 'lab testbed prepare --dry-run' names, then delete {FOLDER}"
)


@dataclass(frozen=True)
class Restored:
    """The outcome for a machine: `left` is not as it was; `packages` were installed and stay."""

    host: str
    left: tuple[str, ...]
    packages: tuple[str, ...]


async def keep_first_survey(host: Host, found: Survey) -> None:
    """Keep on a machine what was there before the lab; the first survey counts.

    Raises:
        HostError: there is one that is not whole: what was there before is not known any more.
    """
    stored = await _read(host, BEFORE)
    if stored is None:
        await undo_record.begin(host, (path for path in FOLDERS if path in found.absent))
        await undo_record.write_whole(host, BEFORE, found.stored())
    elif survey.parse_stored(stored) is None:
        raise HostError(f"{host.name}: {NOT_WHOLE}")


async def append_names(host: CommandRunner, file: str, names: list[str]) -> None:
    """Add names of objects that will be touched to a file on a machine, safe from a loss of power."""
    # the first line ends one that a loss of power cut
    lines = "".join(f"\n{name}" for name in names) + "\n"
    script = f"mkdir -p {FOLDER}\nprintf %s {shlex.quote(lines)} >> {file}\nsync {file}\n"
    await host.run(["sh", "-e"], stdin=script.encode())


async def write_names(host: Host, file: str, names: list[str]) -> None:
    """Replace the names in a file on a machine."""
    await undo_record.write_whole(host, file, "".join(f"{name}\n" for name in names).encode())


async def read_names(host: Host, file: str) -> list[str]:
    """Return the names in a file on a machine, each once; none where there is no such file."""
    return list(dict.fromkeys((await _read(host, file) or b"").decode().split()))


async def _read(host: Host, file: str) -> bytes | None:
    """Return a file of a machine, or None where there is none.

    Raises:
        HostError: it cannot be read.
    """
    try:
        return await host.get(file)
    except HostError as error:
        if "No such file" not in str(error):
            raise
        return None


async def restore(host: Host) -> Restored | None:
    """Give a machine back as it was; None where nothing of the lab is on it.

    Raises:
        HostError: it cannot be reached, or something does not go.
    """
    stored = await _read(host, BEFORE)
    if stored is None:
        return None
    before = survey.parse_stored(stored)
    if before is None:
        return Restored(host.name, (NOT_WHOLE,), ())
    now, touched = await survey.survey(host), await read_names(host, TOUCHED)
    made = undo_record.parse((await _read(host, undo_record.RECORD) or b"").decode(errors="replace"))
    lines = undo_script(before, now, touched, made)
    await host.run(["sh"], stdin="\n".join(lines).encode(), timeout=180)
    after = await survey.survey(host)
    new = after.packages.keys() - before.packages.keys()
    packages = tuple(f"{name} {version}" for name, version in after.packages.items() if name in new)
    return Restored(host.name, tuple(survey.differences(before, after)), packages)


def undo_script(before: Survey, now: Survey, touched: list[str], made: Made) -> list[str]:
    """Return the lines of shell that remove made objects and restore changed ones."""
    return [*_daemons(), *_data_plane(before, now, touched, made), *_images(made), *_files(before, made)]


def _daemons() -> Iterator[str]:
    """End everything that `Host.start` began, and endpoints that a killed run left."""
    yield stop_all_script()
    yield "docker ps -aq --filter label=lab.overlay | xargs -r docker rm -f -v >/dev/null"


def _data_plane(before: Survey, now: Survey, touched: list[str], made: Made) -> Iterator[str]:
    boot = now.first("boot")
    if dataplane.UNIT in made.of("file"):
        yield f"[ ! -e {dataplane.UNIT} ] || systemctl disable lab-data-plane.service"
    for name in touched:
        if name in before.interfaces and name in now.interfaces:
            added = {address for interface, address in made.addresses(boot) if interface == name}
            yield from dataplane.undo_lines(now.interfaces[name], before.interfaces[name], added)
            yield from dataplane.undo_filter(name, now.filters.get(name, ""), before.filters.get(name, ""))
    yield from map(dataplane.undo_rule, sorted(made.rules(boot)))
    if before.sysctls.get(FORWARD) == "0":
        yield "echo 0 > /proc/sys/net/ipv4/ip_forward"


def _images(made: Made) -> Iterator[str]:
    for tag in sorted(made.of("image")):
        yield f"docker image rm -f {shlex.quote(tag)} >/dev/null"


def _files(before: Survey, made: Made) -> Iterator[str]:
    """Remove files and folders that the lab made; in a folder of logs that was there, only new logs."""
    folders, listed = made.of("folder"), before.lines("files")
    yield from (f"rm -f {path}" for path in (dataplane.UNIT, dataplane.SCRIPT) if path in made.of("file"))
    yield from (f"rm -rf {path}" for path in OWN_FOLDERS if path in folders)
    if LOGS in before.present and not any(line.startswith(UNLISTED) for line in listed):
        new = f'case \' {" ".join(listed)} \' in *" $f "*) ;; *) rm -f "$f" ;; esac'
        yield f'for f in {LOGS}/*.log; do [ ! -e "$f" ] || {new}; done'
    yield from (f"rm -f {files}" for path, files in LEFTOVERS.items() if path in folders)
    yield f"rm -rf {FOLDER}"
    if "/run/lab" in folders:
        yield "rmdir /run/lab/overlays 2>/dev/null || :"
    # the innermost first
    shared = sorted((path for path in FOLDERS if path in folders and path not in OWN_FOLDERS), reverse=True)
    yield from (f"rmdir {path} 2>/dev/null || :" for path in shared)
