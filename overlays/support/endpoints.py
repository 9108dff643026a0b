"""Containers that measure: started on a host's own Docker, attached to one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.errors import CommandError, OverlayError
from lab.hosts.base import Endpoint, Host
from overlays.support import docker_api

LABEL = "lab.overlay"


def container(overlay: str, host: str, name: str) -> str:
    """A container's name: unique on its host, and on a network that spans all hosts."""
    return f"{overlay}-{name}-{host}"


def run_argv(
    overlay: str, host: str, image: str, name: str, network: str, more: Sequence[str] = ()
) -> list[str]:
    """The ``docker run`` of an endpoint. It may set up its interfaces and open raw sockets, no more."""
    own_name = [] if network == "host" else [f"--hostname={host}"]
    return [
        *("docker", "run", "--detach", "--pull=never", f"--name={name}", f"--network={network}", *own_name),
        *(f"--label={LABEL}={overlay}", "--cap-add=NET_ADMIN", "--cap-add=NET_RAW", *more, image),
    ]


async def attach(
    overlay: str,
    host: Host,
    image: str,
    name: str,
    network: str,
    *,
    interface: str = "eth0",
    address: str | None = None,
    more: Sequence[str] = (),
) -> Endpoint:
    """Start an endpoint and return it with its address; `address` where Docker does not know it.

    Raises:
        OverlayError: Docker could not start it; the message has Docker's words.
    """
    name = container(overlay, host.name, name)
    try:
        await host.run(run_argv(overlay, host.name, image, name, network, more))
    except CommandError as error:
        said = error.stderr.strip() or error.stdout.strip()
        raise OverlayError(f"{overlay}: endpoint {name!r} did not start on {host.name}: {said}") from error
    found = address or await _address(host, name, network)
    if not found:
        raise OverlayError(
            f"{overlay}: endpoint {name!r} on {host.name} got no address on network {network!r}"
        )
    return Endpoint(host, name, found, interface, overlay)


async def _address(host: Host, name: str, network: str) -> str:
    said = await docker_api.call(host, "GET", f"containers/{name}/json")
    return address_of(said.json["NetworkSettings"]["Networks"], network) if said.ok else ""


def address_of(networks: Mapping[str, Any], network: str) -> str:
    """The address that Docker reports for a container on a network; empty when it has none."""
    return str(networks.get(network, {}).get("IPAddress", ""))


async def remove_all(overlay: str, host: Host) -> None:
    """Remove every endpoint that an overlay still has on a host."""
    listed = await host.run(["docker", "ps", "-aq", "--filter", f"label={LABEL}={overlay}"], check=False)
    if listed.stdout.split():
        await host.run(["docker", "rm", "-f", "-v", *listed.stdout.split()])


async def refuse_beside_others(overlay: str, host: Host, what: str) -> None:
    """Return when no other overlay has endpoints on a host.

    Raises:
        OverlayError: one has, and `what` this overlay is about to do would end them.
    """
    form = f'{{{{.Names}}}} {{{{.Label "{LABEL}"}}}}'
    listed = await host.run(["docker", "ps", "--filter", f"label={LABEL}", "--format", form])
    others = [line.split()[0] for line in listed.stdout.splitlines() if line.split()[-1] != overlay]
    if others:
        raise OverlayError(
            f"{overlay}: {what} on {host.name} would end the endpoints of another overlay there "
            f"({', '.join(others)}); detach them first"
        )
