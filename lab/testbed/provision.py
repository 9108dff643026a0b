"""Installation of a machine: packages and files of the images' `provision.sh`, and the endpoint image."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import HostError, MachineError
from lab.hosts.host import Host
from lab.images import ENDPOINT
from lab.images.builders import SOURCES
from lab.testbed.reservation import FOLDER
from lab.testbed.survey import DAEMON_SCRIPT, Survey

#: How long installing packages, and sending an image, may take (s).
INSTALL, SEND = 1800.0, 1800.0
#: Room that packages and images take on a machine that has none of them (MiB).
ROOM = 1500
FILES = ("provision.sh", "host/docker-daemon", "host/entry")


def missing_parts(found: Survey) -> list[str]:
    """Return what `provision` would see to on a machine, in words; empty when there is nothing to do."""
    packages = found.missing_packages()
    parts = [f"packages {', '.join(packages)}"] if packages else []
    digest = hashlib.sha256((SOURCES / "host/docker-daemon").read_bytes()).hexdigest()
    if found.first("script").split(" ")[0] != digest:
        parts.append(DAEMON_SCRIPT)
    if not packages and not found.docker:
        parts.append("a Docker daemon that runs")
    return parts


def require_room(host: str, found: Survey) -> None:
    """Raise a `HostError` when a machine has no room for its missing packages."""
    room = ROOM if found.missing_packages() else 16
    if found.free_mib < room:
        raise HostError(
            f"{host}: its disk is full: {found.free_mib} MiB are free of /, /var/lib and /tmp, and {room} "
            "are needed; make room there"
        )


async def provision(host: Host, found: Survey) -> None:
    """Run `provision.sh` on a machine with missing packages, and start its Docker.

    Raises:
        HostError: it failed; with the script's last words.
    """
    missing = found.missing_packages()
    for name in FILES:
        await host.put((SOURCES / name).read_bytes(), f"{FOLDER}/images/{name}", mode=0o755)
    done = await host.run(["sh", f"{FOLDER}/images/provision.sh", "host"], timeout=INSTALL, check=False)
    await host.run(["rm", "-rf", f"{FOLDER}/images"])
    if done.status:
        lines = [x for x in (done.stderr.strip() or done.stdout.strip()).splitlines() if x.strip()]
        raise HostError(
            f"{host.name}: {', '.join(missing) or 'what it lacks'} cannot be installed there: "
            f"{(lines or ['it said nothing'])[-1][:200]}; give it a way to its package sources, or install "
            "that by hand"
        )
    started = await host.run([DAEMON_SCRIPT, "start"], timeout=150, check=False)
    if started.status:
        raise HostError(f"{host.name}: its Docker does not start: {started.stderr.strip()[-200:]}")


def endpoint_id() -> str:
    """Return the id of the endpoint image in this machine's Docker; "" where it has none."""
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", ENDPOINT.tag]
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def lacks_image(found: Survey, wanted: str) -> bool:
    """Return True when a machine has no endpoint image, or another than this machine's."""
    there = found.first("image")
    return not there.startswith("sha256:") or bool(wanted and there != wanted)


@contextmanager
def packed_image() -> Iterator[Path]:
    """The endpoint image as a file that `docker load` takes.

    Raises:
        MachineError: this machine has none.
    """
    if not endpoint_id():
        raise MachineError(
            f"hosts lack the image {ENDPOINT.tag}, and this machine has none to send: sudo lab images build"
        )
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        packed = Path(folder) / "image.tar.gz"
        with packed.open("wb") as file:
            save = subprocess.Popen(["docker", "save", ENDPOINT.tag], stdout=subprocess.PIPE)
            squeeze = subprocess.run(["gzip", "-1"], stdin=save.stdout, stdout=file, check=False)
            if save.wait() or squeeze.returncode:
                raise MachineError(f"{ENDPOINT.tag} cannot be packed into {folder}; is the disk full?")
        yield packed
