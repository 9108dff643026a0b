"""Containers that measure: on a host's own Docker, attached to one network of it.

On a host without Docker they are processes in namespaces, and ports of a bridge (`namespaces`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.errors import OverlayError
from lab.hosts.host import Endpoint, Host
from overlays.common import docker_api, namespaces
from overlays.common.namespaces import BridgePort

LABEL = "lab.overlay"


def called(overlay: str, host: str, name: str) -> str:
    """Return a container's name: unique on its host, and on a network that spans all hosts."""
    return f"{overlay}-{name}-{host}"


def container(overlay: str, host: str, image: str, network: str) -> dict[str, Any]:
    """Return what Docker is asked for; an endpoint may set up interfaces and open raw sockets, no more."""
    return {
        "Image": image,
        "Labels": {LABEL: overlay},
        "HostConfig": {"NetworkMode": network, "CapAdd": ["NET_ADMIN", "NET_RAW"]},
        **({} if network == "host" else {"Hostname": host}),
    }


async def attach(
    overlay: str,
    host: Host,
    image: str,
    name: str,
    network: str,
    *,
    interface: str = "eth0",
    address: str = "",
    port: BridgePort | None = None,
) -> Endpoint:
    """Start an endpoint and return it with its address; `address` where Docker does not know it.

    `network` is the name in Docker, and `port` its counterpart on a host without Docker: None is the
    host's own network. One of this name that is there is taken as it is.

    Raises:
        OverlayError: it could not be started; the message has Docker's words. Or the one that is there
            is another thing.
    """
    name = called(overlay, host.name, name)
    if not (await host.facts()).docker:
        return await namespaces.attach(overlay, host, image, name, interface, address, port)
    asked = container(overlay, host.name, image, network)
    begin = [("POST", f"containers/{name}/start", None), ("GET", f"containers/{name}/json", None)]
    answer = await docker_api.calls(host, [("POST", f"containers/create?name={name}", asked), *begin])
    if answer.status == docker_api.EXISTS:
        answer = await docker_api.calls(host, begin)
        if answer.ok:
            refuse_other(host, name, answer.json, asked)
    if not answer.ok:
        raise OverlayError(f"{overlay}: endpoint {name!r} did not start on {host.name}: {answer.message}")
    networks = {} if address else answer.json["NetworkSettings"]["Networks"]
    found = address or str(networks.get(network, {}).get("IPAddress", ""))
    if not found:
        raise OverlayError(
            f"{overlay}: endpoint {name!r} on {host.name} got no address on network {network!r}"
        )
    return Endpoint(host, name, found, interface, overlay)


def refuse_other(host: Host, name: str, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Check that an existing container is what was asked for.

    Raises:
        OverlayError: it is of another image, or on another network.
    """
    has = (there["Config"]["Image"], there["HostConfig"]["NetworkMode"])
    wants = (asked["Image"], asked["HostConfig"]["NetworkMode"])
    if has != wants:
        raise OverlayError(
            f"endpoint {name!r} on {host.name} is of image {has[0]} on network {has[1]!r}, and {wants[0]} on "
            f"{wants[1]!r} was asked for; detach it first, or give the new one another name"
        )


async def detach(endpoint: Endpoint) -> None:
    """Remove an endpoint."""
    of_docker = ["docker", "rm", "-f", "-v", endpoint.container]
    await endpoint.host.run([endpoint.script, "remove"] if endpoint.script else of_docker)


async def remove_all(overlay: str, host: Host) -> None:
    """Remove every endpoint that an overlay still has on a host."""
    if not (await host.facts()).docker:
        await namespaces.remove_all(overlay, host)
        return
    listed = await host.run(["docker", "ps", "-aq", "--filter", f"label={LABEL}={overlay}"], check=False)
    if listed.stdout.split():
        await host.run(["docker", "rm", "-f", "-v", *listed.stdout.split()])


async def refuse_beside_others(overlay: str, host: Host, what: str) -> None:
    """Check that no other overlay has endpoints on a host's Docker.

    Raises:
        OverlayError: one has, and `what` this overlay is about to do to Docker would end them.
    """
    if not (await host.facts()).docker:
        return
    form = f'{{{{.Names}}}} {{{{.Label "{LABEL}"}}}}'
    listed = await host.run(["docker", "ps", "--filter", f"label={LABEL}", "--format", form])
    others = [line.split()[0] for line in listed.stdout.splitlines() if line.split()[-1] != overlay]
    if others:
        raise OverlayError(
            f"{overlay}: {what} on {host.name} would end the endpoints of another overlay there "
            f"({', '.join(others)}); detach them first"
        )
