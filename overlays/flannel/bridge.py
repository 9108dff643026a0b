"""The bridge that is on a host's leased subnet: Docker's own, or a plain one where there is no Docker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lab.hosts.host import Host
from overlays.common import docker_config
from overlays.common.batch import Batch
from overlays.common.bridge import plain
from overlays.common.namespaces import BridgePort

#: In the place of docker0, whose name would make readers and programs look for a Docker daemon.
BRIDGE = "br-flannel"


async def put_on_lease(host: Host, overlay: str, lease: Mapping[str, str], shown: str) -> None:
    """Give a host's bridge the leased subnet; `shown` is what ``ip`` shows of Docker's bridge before.

    Raises:
        OverlayError: Docker did not take it.
    """
    if not (await host.facts()).docker:
        await plain(Batch(), BRIDGE, lease["FLANNEL_SUBNET"], lease["FLANNEL_MTU"]).on(host)
    elif await docker_config.change(host, overlay, docker_options(lease), bridge_address(shown)):
        await docker_config.restart().on(host, timeout=120)


async def take_back(host: Host, overlay: str) -> None:
    """Give Docker's bridge its old subnet, or remove the plain one.

    Raises:
        OverlayError: Docker did not restart.
    """
    if not (await host.facts()).docker:
        await Batch().attempt(["ip", "link", "del", BRIDGE]).on(host)
        return
    with docker_config.restarting(host, overlay):
        await docker_config.restore(host, overlay)


def port(lease: Mapping[str, str]) -> BridgePort:
    """Return the place of an endpoint on the bridge of a host without Docker, the way out as Docker's."""
    gateway = lease["FLANNEL_SUBNET"].partition("/")[0]
    way_out = ["ip", "route", "add", "default", "via", gateway]
    return BridgePort(BRIDGE, int(lease["FLANNEL_MTU"]), ["next", lease["FLANNEL_SUBNET"]], setup=[way_out])


def docker_options(lease: Mapping[str, str]) -> Mapping[str, Any]:
    """Return Docker's settings for a lease; it masquerades only where flanneld does not."""
    return {
        "bip": lease["FLANNEL_SUBNET"],
        "mtu": int(lease["FLANNEL_MTU"]),
        "ip-masq": lease.get("FLANNEL_IPMASQ") != "true",
    }


def bridge_address(shown: str) -> Mapping[str, str]:
    """Return the setting that gives Docker's bridge its address back: Docker would keep the lease's."""
    found = re.search(r"\bdocker0\s+inet (\S+)", shown)
    return {"bip": found[1]} if found else {}
