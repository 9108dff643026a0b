"""The image store of the hosts: endpoint images unpacked once, for the Docker daemons of all of them.

Loading an image into each host's daemon takes most of the time of a naive bring-up. Instead
one daemon loads it once; a host starts from a copy of the store's index (some 100 KiB) whose
layers are symbolic links into that store, which is mounted read-only. What a host then
writes, commits or removes stays its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.emulation import cleanup
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.ownership import LabState, labs
from lab.errors import MachineError
from lab.events import Emit, silent, step
from lab.hosts import command
from lab.util.files import name_whole
from lab.util.locks import machine_lock
from lab.util.paths import STATE

STORES = STATE / "seed"
ENDPOINT_IMAGE = "lab/gtsperf"
#: The parts of a layer beside its files: small things that the daemon of a host may rewrite.
LAYER_FILES = ("link", "lower", "committed")


def endpoint_store(emit: Emit = silent) -> Path:
    """Return the folder to mount on every host, made now if the endpoint image has none yet.

    The folder's name is a hash of the ids of that image and of the host's, whose daemon wrote the store.

    Raises:
        MachineError: the lab's images are not built, or the store could not be made.
    """
    ids = image_ids([host_spec.HOST_IMAGE, ENDPOINT_IMAGE])
    folder = STORES / hashlib.sha256(" ".join(ids).encode()).hexdigest()[:16]
    if folder.exists():
        return folder
    with machine_lock("seed", emit, "unpacking the endpoint image"):
        if not folder.exists():
            with step(emit, "image store for the hosts"):
                _make(folder, [ENDPOINT_IMAGE])
    return folder


def image_ids(images: Sequence[str]) -> list[str]:
    """Look up the ids of images of the machine's Docker daemon.

    Raises:
        MachineError: one of them is not there.
    """
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", *images]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise MachineError(f"an image is missing ({reason}): sudo lab images build")
    return done.stdout.split()


def _make(folder: Path, images: Sequence[str]) -> None:
    """Load into a daemon of its own, take its store apart, and give it its name last of all."""
    scratch = STORES / "unfinished"
    shutil.rmtree(scratch, ignore_errors=True)  # an interrupted one's; the lock says that none is at work
    raw, new = scratch / "raw", scratch / "new"
    raw.mkdir(parents=True)
    state = LabState.create()
    try:
        asyncio.run(_load(state, raw, scratch / "images.tar", images))
        split(raw, new)
        name_whole(new, folder)  # all later labs trust it
    finally:
        asyncio.run(cleanup.remove(state))
        shutil.rmtree(scratch, ignore_errors=True)
    if not labs():  # no lab can still use the stores of older images
        for other in STORES.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)


async def _load(state: LabState, raw: Path, archive: Path, images: Sequence[str]) -> None:
    """Run one host whose store is `raw`, and load the images into its daemon."""
    shared = state.folder / "seed"
    shared.mkdir()
    spec = host_spec.container(
        state,
        "seed",
        host_spec.HOST_IMAGE,
        capabilities=tuple(HOST_CAPABILITIES),
        binds={str(raw): "/var/lib/docker", str(shared): host_spec.SHARED_INSIDE},
    )
    state.record("container", spec.name)
    await containers.start([spec], command.run)
    socket = shared / "docker.sock"
    save = command.run(["docker", "save", "--output", str(archive), *images], timeout=300)
    await asyncio.gather(save, containers.docker_answers(socket, "seed", spec.name, command.run))
    await command.run(["docker", "--host", f"unix://{socket}", "load", "--input", str(archive)], timeout=300)
    # ended in order, so that the store is whole on disk
    await command.run(["docker", "exec", spec.name, "/usr/local/lib/lab/docker-daemon", "stop"])


def split(raw: Path, new: Path) -> None:
    """Take a daemon's store apart: `new/overlay2` has the layers, `new/template` is what a host copies.

    Raises:
        MachineError: the daemon did not use overlay2.
    """
    layers = raw / "overlay2"
    if not layers.is_dir():
        raise MachineError(
            f"Docker's overlay2 does not work on the disk of {STORES}: put LAB_STATE_DIR on ext4 or xfs"
        )
    template = new / "template"
    shutil.copytree(raw / "image", template / "image", symlinks=True)
    shutil.copytree(layers / "l", template / "overlay2" / "l", symlinks=True)
    for layer in (p for p in layers.iterdir() if (p / "diff").is_dir()):
        _template_of_layer(layer, template / "overlay2" / layer.name)
    layers.rename(new / "overlay2")


def _template_of_layer(layer: Path, copy: Path) -> None:
    copy.mkdir()
    for name in LAYER_FILES:
        if (layer / name).exists():
            shutil.copy2(layer / name, copy / name)
    if (layer / "work").is_dir():
        (copy / "work").mkdir()
    (copy / "diff").symlink_to(Path(host_spec.STORE_INSIDE) / "overlay2" / layer.name / "diff")


def forget_all() -> None:
    """Delete every store.

    Raises:
        MachineError: a lab is on this machine, whose hosts may use one.
    """
    if present := labs():
        raise MachineError(f"lab {present[0].lab_id} is on this machine: take it down, or run 'lab cleanup'")
    shutil.rmtree(STORES, ignore_errors=True)
