"""Two ways to make an image: from a public base image, or from the machine's own apt sources.

Which one is settled by asking the registry through Docker itself, every time: what was
out of reach yesterday may be there today.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import docker
import requests
from docker.errors import APIError, BuildError, ImageNotFound
from urllib3.exceptions import HTTPError

from lab.errors import MachineError
from lab.events import Emit, Note
from lab.images import apt
from lab.util import attached, paths

SOURCES = Path(__file__).with_name("sources")
#: How a build by Docker fails: by itself, by Docker's word, or because its daemon ended meanwhile.
BUILD_FAILURES = (BuildError, APIError, requests.RequestException, HTTPError)
REGISTRY_PATIENCE = 10  # s
#: The label of a build by Docker: until it is done, its value is the folder that has the lock of builds.
BUILD = "lab.build"
FROM = re.compile(r"^FROM .*$", re.MULTILINE)
#: Files that no program needs; dpkg leaves them out while it unpacks.
EXCLUDED_DOCS = ("man", "doc", "locale", "info", "i18n", "lintian", "bash-completion")


@dataclass(frozen=True)
class Image:
    """One image: its role for `provision.sh`, its tag, and how a container of it starts."""

    role: str
    tag: str
    changes: tuple[str, ...]


def build(client: docker.DockerClient, image: Image, labels: Mapping[str, str], emit: Emit) -> None:
    """Make an image; the caller's lock says that no other build runs.

    Raises:
        MachineError: neither way works; the message says what to do.
    """
    refusal = registry_refusal(client)
    if refusal is None:
        _build_with_docker(client, image, labels)
    else:
        reason = f"no image registry in reach ({refusal})"
        emit(Note(f"{reason}: building {image.tag} from this machine's apt sources"))
        _build_with_mmdebstrap(client, image, labels, emit)


def registry_refusal(client: docker.DockerClient, base: str = f"debian:{apt.PREFERRED}-slim") -> str | None:
    """Return why the base image is not available, in a few words; None when it is."""
    try:
        client.images.get(base)
        return None
    except ImageNotFound:
        pass
    patience, client.api.timeout = client.api.timeout, REGISTRY_PATIENCE
    try:
        client.api.inspect_distribution(base)  # type: ignore[no-untyped-call]
        return None
    except (APIError, requests.RequestException) as error:
        said = getattr(error, "explanation", None) or str(error)
        return str(said).strip().rsplit(": ", 1)[-1][:80]
    finally:
        client.api.timeout = patience


def scratch_folder() -> Path:
    """Return the folder in which an image is made without a registry; a killed build leaves it."""
    return paths.STATE / "images"


def docker_build(
    client: docker.DockerClient,
    context: Path,
    dockerfile: str,
    tag: str,
    labels: Mapping[str, str],
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Run `docker build` on the host's network, because the lab's own daemon has no bridge.

    A daemon that is killed leaves the container of a step behind. It has a label that no finished image has.

    Raises:
        Exception: one of `BUILD_FAILURES`.
    """
    mark = f"\nLABEL {BUILD}={json.dumps(str(paths.STATE))}"
    marked = FROM.sub(lambda line: line[0] + mark, (context / dockerfile).read_text())
    with NamedTemporaryFile("w", prefix="Dockerfile.") as file:
        file.write(marked)
        file.flush()
        client.images.build(
            path=str(context),
            dockerfile=file.name,
            tag=tag,
            buildargs=dict(arguments or {}),
            labels={**labels, BUILD: "done"},
            network_mode="host",
            rm=True,
            forcerm=True,
        )


def _build_with_docker(client: docker.DockerClient, image: Image, labels: Mapping[str, str]) -> None:
    every = {**labels, "lab.suite": apt.PREFERRED, "lab.way": "Dockerfile"}
    suite = {"SUITE": apt.PREFERRED}
    try:
        docker_build(client, SOURCES, f"{image.role}/Dockerfile", image.tag, every, suite)
    except BUILD_FAILURES as error:
        raise MachineError(
            f"docker build of {image.tag} failed: {last_line(str(error))}; try again"
        ) from error


def _build_with_mmdebstrap(
    client: docker.DockerClient, image: Image, labels: Mapping[str, str], emit: Emit
) -> None:
    tag, scratch = image.tag, scratch_folder()
    if not shutil.which("mmdebstrap"):
        raise MachineError(
            f"cannot build {tag}: no image registry in reach and no mmdebstrap; apt-get install mmdebstrap"
        )
    served = apt.sources()
    if served.suite != apt.PREFERRED:
        emit(Note(f"{tag} is made of {served.suite}: this machine's apt does not serve {apt.PREFERRED}"))
    shutil.rmtree(scratch, ignore_errors=True)  # an interrupted build's
    scratch.mkdir(parents=True)
    try:
        argv = ["sh", str(SOURCES / "provision.sh"), "--packages", image.role, served.suite]
        packages = _run(argv, tag).split()
        root = scratch / "root.tar"
        _run(mmdebstrap(image.role, packages, served, root), tag, TMPDIR=str(scratch))
        every = {**labels, "lab.suite": served.suite, "lab.way": "mmdebstrap"}
        lines = [*image.changes, *(f"LABEL {key}={value}" for key, value in every.items())]
        client.api.import_image_from_file(str(root), repository=tag, tag="latest", changes=lines)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def mmdebstrap(role: str, packages: Sequence[str], served: apt.Sources, root: Path) -> list[str]:
    """Return the command that makes a root file system for `role` and runs `provision.sh` in it."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in EXCLUDED_DOCS]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        *excluded,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--customize-hook=copy-in {SOURCES} /tmp",
        f'--customize-hook=chroot "$1" sh /tmp/{SOURCES.name}/provision.sh {role}',
        f'--customize-hook=rm -rf "$1/tmp/{SOURCES.name}"',
        served.suite,
        str(root),
        *served.lines,
    ]


def _run(argv: Sequence[str], tag: str, **env: str) -> str:
    attached_argv, environment = attached.argv(argv), {**os.environ, **env}
    done = subprocess.run(attached_argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise MachineError(
            f"cannot build {tag}: {argv[0]} ended with status {done.returncode}: {last_line(done.stderr)}; "
            "check that apt can install packages here and that the disk is not full, then try again"
        )
    return done.stdout


def last_line(text: str) -> str:
    """Return the last line that a builder printed, at most 300 characters."""
    return (text.strip() or "it said nothing").splitlines()[-1][:300]
