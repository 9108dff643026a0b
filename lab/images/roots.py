"""The file systems of the images in plain folders, for hosts that are made without Docker.

They are exported once from Docker's store, to ``STATE/roots/<hash of the images' inputs>/<role>``. Where that
folder is there, nobody asks Docker.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from lab import images
from lab.errors import MachineError
from lab.events import Emit, step
from lab.images.builders import Image, scratch_folder
from lab.util import paths
from lab.util.files import name_whole
from lab.util.locks import machine_lock, machine_lock_if_free

if TYPE_CHECKING:
    from docker import DockerClient

#: Docker is asked for an image's files through a container that never runs.
EXPORTED = "lab-root"
#: The name of a folder ends so while files are unpacked there.
PARTIAL = ".partial"


def inputs() -> str:
    """Return a hash of everything that decides what the images hold, except the packages' versions."""
    hashes = (images.inputs_hash(image) for image in images.IMAGES)
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:16]


def find() -> Mapping[str, Path]:
    """Return the root file systems of today's images by tag; none where they were not exported yet."""
    folder = place() / inputs()
    return {image.tag: folder / image.role for image in images.IMAGES} if folder.exists() else {}


def ensure(
    emit: Emit, docker: Callable[[], AbstractContextManager[DockerClient]], *, keep_others: bool = False
) -> Mapping[str, Path]:
    """Return the root file systems by tag, exported now from today's images if they are not there.

    Args:
        emit: told of the steps.
        docker: yields a client of Docker; called only if something has to be exported.
        keep_others: leave those of former images, on which a host may still run.

    Raises:
        MachineError: an image cannot be built, or the disk does not take its files.
    """
    if there := find():
        return there
    with docker() as client:
        images.ensure(client, emit)
        with machine_lock("images", emit, "building images"):
            if not find():
                with step(emit, "root file systems of the images"):
                    _export_all(client, place() / inputs())
    if not keep_others:
        _remove_all(but=inputs())
    return find()


def remove() -> list[str]:
    """Delete all root file systems, and return their names; no host may run on one."""
    there = sorted(str(path) for path in place().glob("*"))
    _remove_all()
    return there


def remove_interrupted(docker: Callable[[], AbstractContextManager[DockerClient]]) -> list[str]:
    """Delete what a killed export or build left, and return the names; not one under way."""
    done = []
    with machine_lock_if_free("images") as free:
        if free and (scratch := scratch_folder()).exists():
            shutil.rmtree(scratch)
            done.append(str(scratch))
        if free and (left := sorted(place().glob(f"*{PARTIAL}"))):
            with docker() as client:
                done += [name for image in images.IMAGES for name in _remove_container(client, image)]
            for folder in left:
                shutil.rmtree(folder)
            done += map(str, left)
    return done


def place() -> Path:
    """Return the folder in which those of all images are."""
    return paths.STATE / "roots"


def _remove_all(but: str = "") -> None:
    for folder in place().glob("*"):
        if folder.name != but:
            shutil.rmtree(folder, ignore_errors=True)


def _export_all(client: DockerClient, folder: Path) -> None:
    """Export beside the place, and give the folder its name last of all."""
    partial = folder.with_suffix(PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)  # an interrupted one's; the lock says that none is at work
    try:
        for image in images.IMAGES:
            (partial / image.role).mkdir(parents=True)
            _export(client, image, partial / image.role)
        name_whole(partial, folder)
    except OSError as error:
        raise MachineError(f"{folder} cannot be written: {error.strerror}; make room on its disk") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _container(image: Image) -> str:
    return f"{EXPORTED}-{image.role}"


def _remove_container(client: DockerClient, image: Image) -> list[str]:
    """Remove the container of an export that was killed; returns its name, if there was one."""
    there = client.containers.list(all=True, filters={"name": f"^/{_container(image)}$"})
    for old in there:
        old.remove(force=True)
    return [f"container {_container(image)}" for _ in there]


def _export(client: DockerClient, image: Image, target: Path) -> None:
    """Unpack what a container of an image would find, except the mark of Docker's containers."""
    _remove_container(client, image)
    container = client.containers.create(image.tag, name=_container(image), network_mode="none")
    argv = ["tar", "-x", "--numeric-owner", "--exclude=.dockerenv", "-C", str(target)]
    try:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as tar:
            assert tar.stdin
            assert tar.stderr
            try:
                chunks: Iterable[bytes] = container.export()  # type: ignore[assignment]  # its types say str
                for chunk in chunks:
                    tar.stdin.write(chunk)
                tar.stdin.close()
            except BrokenPipeError:
                pass  # tar says why
            said = tar.stderr.read().decode(errors="replace")
        if tar.returncode:
            reason = (said.strip() or "tar said nothing").splitlines()[0]
            raise MachineError(
                f"the files of {image.tag} cannot be unpacked to {target}: {reason[:300]}; "
                "make room on its disk"
            )
    finally:
        container.remove(force=True)
