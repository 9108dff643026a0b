"""The two images of the lab, built again when they are out of date.

`lab/host` is a machine at a site, with a Docker daemon of its own; `lab/gtsperf` is an
endpoint. An image carries a hash of its inputs as a label, so it is built again only
when `images/` changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from lab.errors import MachineError
from lab.events import Emit, step
from lab.images.builders import SOURCES, Image, build
from lab.util.locks import machine_lock

INPUTS = "lab.inputs"
SUITE = "lab.suite"
METHOD = "lab.way"


@dataclass(frozen=True)
class BuiltImage:
    """An image in Docker's store: its id, `fresh` where its inputs are today's, and its size (bytes)."""

    tag: str
    id: str
    fresh: bool
    size: int
    suite: str
    method: str


HOST = Image("host", "lab/host", ('ENTRYPOINT ["/usr/bin/tini","--","/usr/local/lib/lab/entry"]',))
ENDPOINT = Image("gtsperf", "lab/gtsperf", ('CMD ["sleep","infinity"]',))
IMAGES = (HOST, ENDPOINT)


def inputs_hash(image: Image, sources: Path = SOURCES) -> str:
    """Return a hash of everything that decides what the image holds, except the packages' versions."""
    digest = hashlib.sha256(repr(image).encode())
    files = [sources / "provision.sh", *sorted(p for p in (sources / image.role).rglob("*") if p.is_file())]
    for file in files:
        digest.update(f"\0{file.relative_to(sources)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def find(client: docker.DockerClient, image: Image) -> BuiltImage | None:
    """Return the image in Docker's store, or None when there is none of that tag."""
    try:
        found = client.images.get(image.tag)
    except ImageNotFound:
        return None
    labels = found.labels or {}
    return BuiltImage(
        tag=image.tag,
        id=str(found.id),
        fresh=labels.get(INPUTS) == inputs_hash(image),
        size=int(found.attrs["Size"]),
        suite=labels.get(SUITE, "unknown"),
        method=labels.get(METHOD, "unknown"),
    )


def ensure(
    client: docker.DockerClient, emit: Emit, images: Sequence[Image] = IMAGES, *, force: bool = False
) -> list[BuiltImage]:
    """Return the images, building those that are missing or out of date (all of them with `force`).

    Raises:
        MachineError: no way to build one works here; the message has the remedy.
    """
    with machine_lock("images", emit, "building images"):
        return [_ensure(client, emit, image, force) for image in images]


def _ensure(client: docker.DockerClient, emit: Emit, image: Image, force: bool) -> BuiltImage:
    old = find(client, image)
    if old and old.fresh and not force:
        return old
    with step(emit, f"image {image.tag}") as words:
        build(client, image, {INPUTS: inputs_hash(image)}, emit)
        built = find(client, image)
        assert built, f"{image.tag} was built and is not there"
        words += [built.method, built.suite, f"{built.size / 2**20:.0f} MiB"]
    # images that newer ones replaced, now or earlier; what a container still uses stays
    client.images.prune(filters={"dangling": True, "label": INPUTS})
    return built


def remove(client: docker.DockerClient) -> list[str]:
    """Remove the images that are there, and return their tags.

    Raises:
        MachineError: a container still uses one.
    """
    there = [image.tag for image in IMAGES if find(client, image)]
    for tag in there:
        try:
            client.images.remove(tag)
        except APIError as error:
            raise MachineError(
                f"{tag} is in use: remove its containers first ({error.explanation})"
            ) from error
    return there
