"""The container that a host of a topology becomes: pure planning, nothing is started here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.emulation.docker import run_options
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.docker.containers import ContainerSpec
from lab.emulation.ownership import LabState
from lab.errors import TopologyError
from lab.topology import HostSpec, Topology

HOST_IMAGE = "lab/host"
#: Where a host finds the image store that its own Docker starts from.
STORE_INSIDE = "/var/lib/lab-seed"
#: The folder that a host shares with this machine: its Docker daemon listens there as well.
SHARED_INSIDE = "/run/lab"
#: A host's Docker keeps its data in memory: nothing to delete afterwards. An upper bound, not a reservation.
DOCKER_DATA = "rw,exec,dev,suid,mode=0710,size=4g"
#: Parameters that the lab's own kind of host takes: it is a machine already.
OF_HOSTS = frozenset(
    {
        *("cpus", "cpu_quota", "cpu_period", "cpu_shares", "cpuset_cpus", "mem_limit", "memory"),
        *("memswap_limit", "environment", "volumes", "devices", "dns", "extra_hosts"),
        *("ip", "mac", "defaultRoute", "site", "rm"),
    }
)


@dataclass(frozen=True)
class Plan:
    """A host to be started; `socket` is where its Docker daemon will answer, if it has one.

    `number` tells it from the other hosts of its lab; 0 where that is not settled yet.
    """

    name: str
    site: str
    addresses: tuple[str, ...]
    container: ContainerSpec
    socket: Path | None
    number: int = 0


def plans(
    state: LabState,
    topology: Topology,
    store: Path,
    image: str = HOST_IMAGE,
    only: Collection[str] | None = None,
) -> list[Plan]:
    """Plan every host of a topology, or some of them."""
    return [
        host(state, spec, topology.addresses(spec.name), store, image)
        for spec in topology.hosts
        if only is None or spec.name in only
    ]


def host(
    state: LabState,
    spec: HostSpec,
    addresses: tuple[str, ...],
    store: Path,
    image: str = HOST_IMAGE,
    params: Mapping[str, Any] | None = None,
) -> Plan:
    """Plan the lab's own kind of host: a machine with a Docker daemon inside.

    `image` is for one that has none of its own, `params` are Containernet's.

    Raises:
        TopologyError: a parameter that such a host does not take; it is named, never ignored.
    """
    name, asked = spec.name, run_options.translate(spec.name, params or {})
    if beyond := sorted(key for key, value in (params or {}).items() if value and key not in OF_HOSTS):
        raise TopologyError(
            f"host {name!r}: {', '.join(beyond)} is for containers of an image of your own; give dimage"
        )
    shared = state.shared(spec.number)
    made = container(
        state,
        name,
        spec.image or image,
        asked.env,
        cpus=spec.cpus,
        capabilities=tuple(HOST_CAPABILITIES),
        tmpfs={"/var/lib/docker": DOCKER_DATA},
        binds={str(store): f"{STORE_INSIDE}:ro", str(shared): SHARED_INSIDE},
        devices=("/dev/net/tun",),
        # set before the daemon starts: otherwise it would drop what the host is to forward
        sysctls={"net.ipv4.ip_forward": "1"},
        options=asked.options,
    )
    return Plan(name, spec.site, addresses, made, shared / "docker.sock", spec.number)


def plain(state: LabState, name: str, image: str, params: Mapping[str, Any]) -> Plan:
    """Plan a host that is a container of any image, without a Docker daemon inside.

    Raises:
        TopologyError: a parameter that is not supported; it is named, never ignored.
    """
    asked = run_options.translate(name, params)
    command = run_options.command(params.get("dcmd"))
    made = container(
        state,
        name,
        image,
        asked.env,
        capabilities=asked.capabilities,
        command=command,
        confined=True,
        # as Containernet does: a terminal, so that a shell as first process stays
        options=("--interactive", "--tty", *asked.options),
        replaces=bool(command),
    )
    return Plan(name, params.get("site", name), (), made, None)


def container(
    state: LabState, name: str, image: str, env: Mapping[str, str] | None = None, **more: Any
) -> ContainerSpec:
    """Describe the container of a host, with the labels and the variable by which clean-up finds it."""
    labels, env = {**state.labels, "lab.host": name}, {**state.environment, **(env or {})}
    return ContainerSpec(container_name(state, name), name, image, labels, env=env, **more)


def container_name(state: LabState, host_name: str) -> str:
    """Name the container of a host, told apart from those of other labs by the lab's id."""
    return f"lab-{state.lab_id}-{host_name}"
