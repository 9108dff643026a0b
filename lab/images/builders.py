"""Two ways to make an image: from a public base image, or from the machine's own apt sources.

Which one is settled by asking the registry through Docker itself, every time: what was
out of reach yesterday may be there today.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
import requests
from docker.errors import APIError, BuildError, ImageNotFound

from lab.errors import MachineError
from lab.events import Emit, Note
from lab.images import apt

REGISTRY_PATIENCE = 10  # s
#: Files that no program needs; dpkg leaves them out while it unpacks.
EXCLUDED_DOCS = ("man", "doc", "locale", "info", "i18n", "lintian", "bash-completion")


def build(
    client: docker.DockerClient,
    role: str,
    tag: str,
    changes: Sequence[str],
    labels: Mapping[str, str],
    sources: Path,
    scratch: Path,
    emit: Emit,
) -> None:
    """Make the image of `role` from the folder `sources` under `tag`.

    Raises:
        MachineError: neither way works; the message says what to do.
    """
    refusal = registry_refusal(client)
    if refusal is None:
        _build_with_docker(client, role, tag, labels, sources)
    else:
        emit(Note(f"no image registry in reach ({refusal}): building {tag} from this machine's apt sources"))
        _build_with_mmdebstrap(client, role, tag, changes, labels, sources, scratch, emit)


def registry_refusal(client: docker.DockerClient, base: str = f"debian:{apt.PREFERRED}-slim") -> str | None:
    """Return why the base image cannot be had, in a few words; None when it can."""
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


def _build_with_docker(
    client: docker.DockerClient, role: str, tag: str, labels: Mapping[str, str], sources: Path
) -> None:
    """`docker build`; on the host's network, because the lab's own daemon has no bridge."""
    try:
        client.images.build(
            path=str(sources),
            dockerfile=f"{role}/Dockerfile",
            tag=tag,
            buildargs={"SUITE": apt.PREFERRED},
            labels={**labels, "lab.suite": apt.PREFERRED, "lab.way": "Dockerfile"},
            network_mode="host",
            rm=True,
            forcerm=True,
        )
    except (BuildError, APIError) as error:
        raise MachineError(f"docker build of {tag} failed: {_last_line(str(error))}; try again") from error


def _build_with_mmdebstrap(
    client: docker.DockerClient,
    role: str,
    tag: str,
    changes: Sequence[str],
    labels: Mapping[str, str],
    sources: Path,
    scratch: Path,
    emit: Emit,
) -> None:
    """mmdebstrap, then `docker import`."""
    if not shutil.which("mmdebstrap"):
        raise MachineError(
            f"cannot build {tag}: no image registry in reach and no mmdebstrap; apt-get install mmdebstrap"
        )
    served = apt.sources()
    if served.suite != apt.PREFERRED:
        emit(Note(f"{tag} is made of {served.suite}: this machine's apt does not serve {apt.PREFERRED}"))
    shutil.rmtree(
        scratch, ignore_errors=True
    )  # an interrupted build's; the caller's lock says that none runs
    scratch.mkdir(parents=True)
    try:
        packages = _run(["sh", str(sources / "provision.sh"), "--packages", role, served.suite], tag).split()
        root = scratch / "root.tar"
        _run(mmdebstrap(role, packages, served, sources, root), tag, TMPDIR=str(scratch))
        every = {**labels, "lab.suite": served.suite, "lab.way": "mmdebstrap"}
        lines = [*changes, *(f"LABEL {key}={value}" for key, value in every.items())]
        client.api.import_image_from_file(str(root), repository=tag, tag="latest", changes=lines)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def mmdebstrap(
    role: str, packages: Sequence[str], served: apt.Sources, sources: Path, root: Path
) -> list[str]:
    """The command that makes a root file system for `role` and runs `provision.sh` in it."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in EXCLUDED_DOCS]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        *excluded,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--customize-hook=copy-in {sources} /tmp",
        f'--customize-hook=chroot "$1" sh /tmp/{sources.name}/provision.sh {role}',
        f'--customize-hook=rm -rf "$1/tmp/{sources.name}"',
        served.suite,
        str(root),
        *served.lines,
    ]


def _run(argv: Sequence[str], tag: str, **env: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, **env})
    if done.returncode:
        raise MachineError(
            f"cannot build {tag}: {argv[0]} ended with status {done.returncode}: {_last_line(done.stderr)}; "
            "check that apt can install packages here and that the disk is not full, then try again"
        )
    return done.stdout


def _last_line(text: str) -> str:
    return (text.strip() or "it said nothing").splitlines()[-1][:300]
