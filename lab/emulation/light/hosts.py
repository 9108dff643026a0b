"""Light hosts: namespaces of this machine that are made from the images' files, without Docker.

They have no Docker daemon and no control group of their own; all else is as on a host that is a container.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.emulation import cleanup
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.docker.daemon import serving
from lab.emulation.links import netns
from lab.emulation.ownership import LabState, Process, labs
from lab.emulation.registry import HostRecord
from lab.errors import HostError, TopologyError
from lab.events import Emit
from lab.hosts.command import RunCommand
from lab.hosts.first_process import ENVIRONMENT
from lab.hosts.host import ENDPOINT_ROOT
from lab.images import ENDPOINT, HOST, roots
from lab.topology import HostSpec, Topology

#: How long hosts may take to start (s): all of them, and each one more.
PATIENCE, EACH = 60.0, 0.5
#: Reads the order from its input; it needs no package, so Python does not look for any.
STARTER = (sys.executable, "-P", "-S", "-m", "lab.emulation.light.starter")


def image_roots(emit: Emit) -> Mapping[str, Path]:
    """Return the root file systems of the images by tag; Docker starts only if they must be exported.

    Raises:
        MachineError: they are not there and cannot be made.
    """
    return roots.ensure(emit, partial(serving, emit), keep_others=bool(labs()))


def refuse(topology: Topology, image: str = HOST.tag) -> None:
    """Check that hosts without Docker can be what a topology asks for; `image` is for those that name none.

    Raises:
        TopologyError: one of them cannot; names it, and what to do.
    """
    for host in topology.hosts:
        if host.cpus:
            raise TopologyError(
                f"host {host.name!r} has no CPU share without Docker; leave out its cpus={host.cpus:g}, "
                "or give the hosts Docker daemons"
            )
        if (host.image or image) != HOST.tag:
            raise TopologyError(
                f"host {host.name!r} cannot be of image {host.image or image!r} without Docker, only of "
                f"{HOST.tag!r}; leave out its image, or give the hosts Docker daemons"
            )


def order(
    state: LabState, specs: Sequence[HostSpec], files: Mapping[str, Path], capabilities: Collection[str]
) -> dict[str, Any]:
    """Return the order for the starter: `files` are the root file systems by tag."""
    return {
        "folder": str(state.folder),
        "root": str(files[HOST.tag]),
        "seeds": {ENDPOINT_ROOT: str(files[ENDPOINT.tag])},
        "capabilities": sorted(capabilities),
        "hosts": [
            {"name": spec.name, "env": {**ENVIRONMENT, **_variables(state, spec.name)}} for spec in specs
        ],
    }


def _variables(state: LabState, name: str) -> dict[str, str]:
    """Return the variables by which clean-up finds the processes of a host."""
    return {"HOSTNAME": name, **state.environment}


@dataclass(frozen=True)
class NewLightHosts:
    """New light hosts of a topology; `files` are the root file systems by tag."""

    topology: Topology
    specs: Sequence[HostSpec]
    files: Mapping[str, Path]
    kind = "light hosts"

    @property
    def names(self) -> list[str]:
        """The names of the hosts."""
        return [spec.name for spec in self.specs]

    async def start(self, state: LabState, run: RunCommand) -> list[tuple[HostRecord, Mapping[str, str]]]:
        """Start all of them by one process; returns the record of each, and its variables.

        Raises:
            HostError: one could not be made; has the kernel's words.
        """
        for name in self.names:
            state.record("host", name)
        done = await run(
            STARTER,
            stdin=json.dumps(order(state, self.specs, self.files, HOST_CAPABILITIES)).encode(),
            env={**netns.OWN_MODULES, **state.environment},
            timeout=PATIENCE + EACH * len(self.specs),
        )
        pids = first_processes(done.stdout)
        return [self._made(state, spec, pids[spec.name]) for spec in self.specs]

    def _made(self, state: LabState, spec: HostSpec, pid: int) -> tuple[HostRecord, Mapping[str, str]]:
        given, process = _variables(state, spec.name), Process.of(pid)
        host = HostRecord(
            spec.name,
            spec.number,
            spec.site,
            self.topology.addresses(spec.name),
            container="",
            container_id="",
            pid=pid,
            started=process.started,
            env=tuple(given),
        )
        return host, given

    async def ready(self, run: RunCommand, emit: Emit) -> None:
        """Return at once: a host that was started has nothing to wait for."""

    async def undo(self, state: LabState, run: RunCommand) -> None:
        """Remove the existing parts of these hosts, also of hosts without a record."""
        await cleanup.end_processes(state, self.names)


def first_processes(said: str) -> dict[str, int]:
    """Read the starter's answer: the pid of every host's first process, by the host's name.

    Raises:
        HostError: a host could not be made.
    """
    answers = [json.loads(line) for line in said.splitlines()]
    for answer in answers:
        if "error" in answer:
            raise HostError(
                f"{answer['name']}: it cannot be made without Docker ({answer['error']}); does this kernel "
                "have overlayfs, and namespaces of all kinds?"
            )
    return {answer["name"]: answer["pid"] for answer in answers}


def new_hosts(
    topology: Topology, files: Mapping[str, Path], only: Collection[str] | None = None
) -> NewLightHosts:
    """Plan the hosts of a topology, or some of them."""
    specs = [spec for spec in topology.hosts if only is None or spec.name in only]
    return NewLightHosts(topology, specs, files)
