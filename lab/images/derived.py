"""Images made of the lab's own: a host, and what only some uses of it need."""

from __future__ import annotations

import hashlib

import docker
from docker.errors import ImageNotFound

from lab.errors import MachineError
from lab.events import Emit, step
from lab.images import HOST, INPUTS
from lab.images.builders import BUILD_FAILURES, SOURCES, docker_build, last_line
from lab.util.locks import machine_lock

#: A host with sshd and sudo: the stand-in for a virtual machine.
REHEARSAL = "lab/rehearsal"
FOLDER = SOURCES / "rehearsal"
BUILT_ON = "lab.host"


def ensure_rehearsal(client: docker.DockerClient, emit: Emit) -> str:
    """Return the tag of the stand-ins' image, built now if it is missing or out of date.

    The image lab/host has to be there.

    Raises:
        MachineError: apt cannot install the two packages here.
    """
    with machine_lock("images", emit, "building images"):
        inputs = hashlib.sha256((FOLDER / "Dockerfile").read_bytes()).hexdigest()[:16]
        labels = {INPUTS: inputs, BUILT_ON: str(client.images.get(HOST.tag).id)}
        if _labels(client) != labels:
            with step(emit, f"image {REHEARSAL}"):
                _build(client, labels)
    return REHEARSAL


def _labels(client: docker.DockerClient) -> dict[str, str]:
    """Return what the image that is there was made of."""
    try:
        found = client.images.get(REHEARSAL).labels or {}
    except ImageNotFound:
        return {}
    return {key: found.get(key, "") for key in (INPUTS, BUILT_ON)}


def _build(client: docker.DockerClient, labels: dict[str, str]) -> None:
    try:
        docker_build(client, FOLDER, "Dockerfile", REHEARSAL, labels)
    except BUILD_FAILURES as error:
        raise MachineError(
            f"{REHEARSAL} cannot be built: {last_line(str(error))}; "
            "check that apt can install openssh-server here"
        ) from error
