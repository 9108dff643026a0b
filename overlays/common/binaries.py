"""The programs of an overlay on this machine: from a variable, PATH, or a published image."""

from __future__ import annotations

import hashlib
import io
import os
import select
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import HostError, OverlayError
from lab.hosts import attached
from lab.hosts.host import Host

#: How long a registry may take to answer at all (s); then how long the image may take (s).
ANSWER, PULL = 6.0, 300.0


@dataclass(frozen=True)
class Copy:
    """A program as it goes to hosts, and its SHA-256."""

    data: bytes = field(repr=False)
    digest: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.data).hexdigest())


def stamp(path: str) -> str:
    """Return the file beside a program on a host that says which program it is."""
    return f"{path}.sha256"


async def put_once(host: Host, copy: Copy, path: str) -> None:
    """Put a program on a host, unless the very same is there.

    Raises:
        OverlayError: the host did not take it.
    """
    there = await host.run(["cat", stamp(path)], check=False)
    if there.stdout == copy.digest:
        return
    try:
        await host.put(copy.data, path, mode=0o755)
        await host.put(copy.digest.encode(), stamp(path))
    except HostError as error:
        raise OverlayError(f"{path} could not be put on {host.name}: {error}") from error


def given(variable: str, program: str) -> Path | None:
    """Return the file that an environment variable names, or the program found on PATH; None without either.

    Raises:
        OverlayError: the variable is set, and names no file that can be run.
    """
    named = os.environ.get(variable)
    if named:
        if not (Path(named).is_file() and os.access(named, os.X_OK)):
            raise OverlayError(
                f"{variable} names {named}, which is no file that can be run; correct or unset it"
            )
        return Path(named)
    found = shutil.which(program)
    return Path(found) if found else None


def from_images(images: Sequence[str], path: str, *, pull: bool) -> bytes | None:
    """Return a file of the first of these images that is here or can be pulled, or None."""
    if not shutil.which("docker"):
        return None
    here = [image for image in images if _docker("image", "inspect", image) is not None]
    if not here and pull:
        here = [image for image in images if _pull(image)][:1]
    return _copy(here[0], path) if here else None


def _docker(*words: str) -> bytes | None:
    """Return what a docker command printed; None when it failed."""
    done = subprocess.run(["docker", *words], capture_output=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else None


def _pull(image: str) -> bool:
    """Pull an image, giving up early where no registry answers: its first line comes with the answer."""
    with subprocess.Popen(
        ["docker", "pull", image], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as pulling:
        assert pulling.stdout is not None
        heard = select.select([pulling.stdout], [], [], ANSWER)[0] and pulling.stdout.read(1)
        try:
            pulling.communicate(timeout=PULL if heard else 0.1)
        except subprocess.TimeoutExpired:
            pulling.kill()
    return pulling.returncode == 0


def _copy(image: str, path: str) -> bytes:
    """Return a file out of an image, by way of a container that is never started."""
    made = _docker("create", image, "true")
    if made is None:
        raise OverlayError(
            f"no container could be made of image {image} to copy {path} from; check 'docker info'"
        )
    container = made.decode().strip()
    try:
        archive = _docker("cp", f"{container}:{path}", "-")
    finally:
        _docker("rm", container)
    if archive is None:
        raise OverlayError(f"image {image} has no file {path}; give the program by hand")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        member = files.extractfile(files.getmembers()[0])
        assert member is not None, "docker cp gives the file itself"
        return member.read()


async def obtain(missing: str, find: Callable[[], bytes | None], remedy: str) -> bytes:
    """Return a program's bytes, looked for, built or pulled while the event loop goes on.

    Raises:
        OverlayError: it is not available; the message begins with `missing`.
    """
    if (data := await attached.in_thread(find)) is None:
        raise OverlayError(f"{missing} is here; {remedy}")
    return data


def program(variable: str, name: str, images: Sequence[str], path: str) -> bytes | None:
    """Return a program's bytes from the first place that has it, or None."""
    found = given(variable, name)
    return found.read_bytes() if found else from_images(images, path, pull=True)
