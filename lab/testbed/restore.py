"""Giving machines back as they were: what `prepare` and runs made goes, what was there stays.

What was there is in a survey that `prepare` stored on the machine before it changed anything, so
another person on another machine can restore as well.

Files of ``/etc/docker`` that an overlay changed are put back by its removal, which comes first
(`overlays.common.docker_config`); the folder itself goes here (`_new_files`) where it was not there before.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from lab.errors import HostError
from lab.hosts.daemons import LOGS, PIDS
from lab.hosts.host import CommandRunner, Host
from lab.images import ENDPOINT
from lab.testbed import dataplane, survey
from lab.testbed.reservation import FOLDER
from lab.testbed.survey import FORWARD, Survey

BEFORE = f"{FOLDER}/before"
#: Names of interfaces that were touched, one a line, written before they are.
TOUCHED = f"{FOLDER}/touched"
OVERLAYS = f"{FOLDER}/overlays"


@dataclass(frozen=True)
class Restored:
    """The outcome for a machine: `left` is not as it was; `packages` were installed and stay."""

    host: str
    left: tuple[str, ...]
    packages: tuple[str, ...]


async def keep_first_survey(host: Host, found: Survey) -> None:
    """Keep on a machine what was there before the lab; the first survey counts."""
    if found.first("before") != "yes":
        await host.put(found.text().encode(), BEFORE)


async def append_names(host: CommandRunner, file: str, names: list[str]) -> None:
    """Add names to a file on a machine, safe from a loss of power: what is about to be touched."""
    lines = "".join(f"{name}\n" for name in names)
    script = f"mkdir -p {FOLDER}\nprintf %s {shlex.quote(lines)} >> {file}\nsync {file}\n"
    await host.run(["sh", "-e"], stdin=script.encode())


async def write_names(host: Host, file: str, names: list[str]) -> None:
    """Put names in place of those in a file on a machine."""
    await host.put("".join(f"{name}\n" for name in names).encode(), file)


async def read_names(host: Host, file: str) -> list[str]:
    """Return the names in a file on a machine, each once."""
    try:
        return list(dict.fromkeys((await host.get(file)).decode().split()))
    except HostError:
        return []


async def restore(host: Host) -> Restored | None:
    """Give a machine back as it was; None where nothing of the lab is on it.

    Raises:
        HostError: it cannot be reached, or something does not go.
    """
    try:
        before = survey.parse((await host.get(BEFORE)).decode())
    except HostError as error:
        if "No such file" not in str(error):
            raise
        return None
    now, touched = await survey.survey(host), await read_names(host, TOUCHED)
    lines = [*_daemons(), *_data_plane(before, now, touched), *_images(before, now), *_new_files(before)]
    await host.run(["sh"], stdin="\n".join(lines).encode(), timeout=180)
    after = await survey.survey(host)
    new = after.packages.keys() - before.packages.keys()
    packages = tuple(f"{name} {version}" for name, version in after.packages.items() if name in new)
    return Restored(host.name, tuple(survey.differences(before, after)), packages)


def _daemons() -> Iterator[str]:
    """End everything that `Host.start` began, and endpoints that a killed run left."""
    stop = "start-stop-daemon --stop --oknodo --remove-pidfile --retry TERM/3/KILL/2 --pidfile"
    yield f'for f in {PIDS}/*.pid; do [ ! -e "$f" ] || {stop} "$f"; done'
    yield "docker ps -aq --filter label=lab.overlay | xargs -r docker rm -f -v >/dev/null"


def _data_plane(before: Survey, now: Survey, touched: list[str]) -> Iterator[str]:
    yield f"[ ! -e {dataplane.UNIT} ] || systemctl disable lab-data-plane.service"
    yield f"rm -f {dataplane.UNIT} {dataplane.SCRIPT}"
    for name in touched:
        if name in before.interfaces and name in now.interfaces:
            yield from dataplane.undo_lines(now.interfaces[name], before.interfaces[name])
    if before.sysctls.get(FORWARD) == "0":
        yield "echo 0 > /proc/sys/net/ipv4/ip_forward"


def _images(before: Survey, now: Survey) -> Iterator[str]:
    had = any(line.startswith(ENDPOINT.tag) for line in before.lines("images"))
    if not had and now.first("image").startswith("sha256:"):
        yield f"docker image rm -f {ENDPOINT.tag} >/dev/null"


def _new_files(before: Survey) -> Iterator[str]:
    """Remove folders that were not there, as ``/etc/docker``; in those that were, only logs that were not."""
    kept, files = set(before.lines("paths")), " ".join(sorted(before.lines("files")))
    new = f'case \' {files} \' in *" $f "*) ;; *) rm -f "$f" ;; esac'
    yield f'for f in {LOGS}/*.log; do [ ! -e "$f" ] || {new}; done'
    yield from (f"rm -rf {path}" for path in survey.PATHS if path not in kept)
    yield f"rm -rf {FOLDER}"
