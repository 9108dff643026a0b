"""Settings of a machine's Docker with which no lab can be built, told from what the daemon says of itself.

`live-restore`, `iptables: false`, another `data-root` and both drivers of control groups work: a lab has its
own networks, and its hosts keep their Docker's data in memory.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.errors import MachineError

REMEDY = "use Docker's own daemon, run by root: apt-get install docker.io"


def parsed(text: str | bytes) -> Mapping[str, Any]:
    """Return what a daemon or its client said in JSON; {} for other text."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def of_podman(info: Mapping[str, Any]) -> bool:
    """Return True for what Podman says: as a service its name is in the version, its client has own keys."""
    names = [str(part.get("Name")) for part in info.get("Components") or ()]
    return "ociRuntime" in (info.get("host") or {}) or any("Podman" in name for name in names)


def faults(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence, with the remedy, for each setting that a lab cannot work with.

    `info` is what a daemon answers to ``/info`` and ``/version``, or what ``docker info`` prints.
    """
    if of_podman(info):
        yield f"this is Podman, and not Docker: the hosts of a lab need Docker; {REMEDY}"
        return
    options = {word for option in info.get("SecurityOptions") or () for word in str(option).split(",")}
    if "name=rootless" in options:
        yield f"Docker runs rootless here, and may make no links or mounts for a lab; {REMEDY}"
    if "name=userns" in options:
        yield (
            "Docker runs with userns-remap, and root in a host could not set up networks there; "
            "take it out of /etc/docker/daemon.json and restart Docker"
        )
    if info.get("OSType", "linux") != "linux":
        yield f"Docker runs containers of {info['OSType']}, and a lab's are of Linux; switch it over"


def elsewhere(socket: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Return a sentence if the command `docker` asks another daemon than this socket's; else nothing."""
    given = environment.get("DOCKER_HOST", "")
    if not given or Path(given.removeprefix("unix://")).resolve() == socket.resolve():
        return ""
    return f"DOCKER_HOST is {given}, and a lab needs the daemon at {socket} of this machine; unset it"


def check(socket: Path, ask: Callable[[str], bytes]) -> None:
    """Check, before anything is built, that a lab can work with the daemon at a socket.

    `ask` returns the daemon's answer to a path of its interface.

    Raises:
        MachineError: it cannot; says why and what to do.
    """
    said: dict[str, Any] = {}
    for path in ("/version", "/info"):
        with suppress(OSError, http.client.HTTPException):
            said |= parsed(ask(path))
    if found := next(filter(None, (elsewhere(socket), *faults(said))), ""):
        raise MachineError(found)
