"""Endpoints on hosts without a Docker daemon: processes in namespaces of their own, below the host's.

Each has a folder on its host with all that is known of it, as the script `endpoint` describes.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from lab.errors import OverlayError
from lab.hosts.host import ENDPOINT_ROOT, Endpoint, Host
from overlays.common.batch import Batch

FOLDER = "/run/lab/endpoints"
#: The image whose file system such a host has.
IMAGE = "lab/gtsperf"
SCRIPT = Path(__file__).with_name("endpoint").read_text()


@dataclass(frozen=True)
class BridgePort:
    """A place of an endpoint on a bridge of its host: the bridge's name, and the MTU there (bytes).

    `lease` prints the endpoint's address with the length of its prefix, and `release` gives it back.
    `setup` are commands in the endpoint's network, once its interface is up. ``next ADDRESS/LENGTH`` is
    a lease of the first free address after the bridge's own.
    """

    bridge: str
    mtu: int
    lease: Sequence[str]
    release: Sequence[str] = ()
    setup: Sequence[Sequence[str]] = ()


def script(name: str) -> str:
    """Return the script of an endpoint on its host."""
    return f"{FOLDER}/{name}/endpoint"


def making(name: str, overlay: str, host: str, interface: str, port: BridgePort | None) -> Batch:
    """Build the batch that makes an endpoint and prints its address; without a port it shares the network."""
    asked = port or BridgePort("", 0, ["echo"])
    setup = Batch()
    for argv in asked.setup:
        setup.run(argv)
    release = Batch().run(asked.release) if asked.release else Batch()
    outside = f"veth{crc32(name.encode()):08x}" if port else ""
    texts = [Batch().run(asked.lease).script, setup.script, release.script]
    words = [host, ENDPOINT_ROOT, asked.bridge, outside, str(asked.mtu), interface, *texts, overlay]
    return Batch().write(script(name), SCRIPT, mode=0o755).run([script(name), "make", *words])


async def attach(
    overlay: str, host: Host, image: str, name: str, interface: str, address: str, port: BridgePort | None
) -> Endpoint:
    """Make an endpoint of this name and return it; one that is there is taken as it is.

    Raises:
        OverlayError: it did not start; or it is to be of another image than `IMAGE`.
    """
    if image != IMAGE:
        raise OverlayError(
            f"{overlay}: {host.name} has no Docker daemon, so its endpoints are of image {IMAGE}, "
            f"not {image}; leave the image out, or use hosts with Docker"
        )
    made = await making(name, overlay, host.name, interface, port).on(host, check=False)
    found = address or made.stdout.strip().partition("/")[0]
    if made.status or not found:
        said = made.stderr.strip() or made.stdout.strip() or "it has no address"
        raise OverlayError(f"{overlay}: endpoint {name!r} did not start on {host.name}: {said}")
    return Endpoint(host, name, found, interface, overlay, script=script(name))


async def remove_all(overlay: str, host: Host) -> None:
    """Remove every endpoint of an overlay on a host."""
    lines = f"""
for folder in {FOLDER}/*/; do
    read -r overlay 2>/dev/null < "$folder/overlay" || continue
    [ "$overlay" != {shlex.quote(overlay)} ] || "${{folder%/}}/endpoint" remove
done
"""
    await host.run(["sh", "-e"], stdin=lines.encode())
