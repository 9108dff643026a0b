"""The Weave router's program, its command, and its copy for a kernel without `dummy` links."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from lab.errors import OverlayError
from lab.hosts.daemons import PIDS
from overlays.common import binaries
from overlays.common.namespaces import BridgePort

IMAGES = ("weaveworks/weave:2.8.1", "rajchaudhuri/weave:2.9.0")
IN_IMAGE = "/home/weave/weaver"
ON_HOST = "/usr/local/lib/lab/weaver"
FOLDER = "/run/weave"
DATA = "/var/lib/weave"
HTTP = "127.0.0.1:6784"
#: A script that prints the password that a host's router runs with, if there is one.
ASK_PASSWORD = f"""
tr '\\0' '\\n' < /proc/$(cat {PIDS}/weaver.pid)/environ | sed -n s/^WEAVE_PASSWORD=//p
""".encode()
REMEDY = (
    "put the router's program on PATH as 'weaver' or name it in LAB_WEAVER; "
    f"it is {IN_IMAGE} in the images {' and '.join(IMAGES)}"
)


@cache
def program() -> bytes | None:
    """Return the router's program: ``LAB_WEAVER``, PATH, or a published image; None without any."""
    return binaries.program("LAB_WEAVER", "weaver", IMAGES, IN_IMAGE)


def without_dummy(binary: bytes) -> bytes:
    """Return a copy of the router that makes an ``ifb`` where it would make a ``dummy`` link.

    At its start the router makes a link of kind ``dummy`` for a moment, only to raise the MTU
    of its bridge, and gives up on a kernel that has none. Any other kind of link that holds
    no packets does as well. The five bytes of the kind are the only ones that change.

    Raises:
        OverlayError: the program is not one in which that place is known.
    """
    word, places, start = b"dummy", [], 0
    while (found := binary.find(word, start)) >= 0:
        in_a_message = binary.startswith(b" interface", found + len(word))
        in_a_symbol = binary[found - 1 : found] in (b".", b"_")  # reflect.dummy, frame_dummy: not stripped
        if not in_a_message and not in_a_symbol:
            places.append(found)
        start = found + len(word)
    if len(places) != 1:
        raise OverlayError(
            "weave: this kernel lacks the link kind 'dummy', and the router's program names it in "
            f"{len(places)} places, not in one; use version 2.8.1, or a kernel with the dummy module"
        )
    return binary[: places[0]] + b"ifb\0\0" + binary[places[0] + len(word) :]


@dataclass(frozen=True)
class Router:
    """The settings of one host's router. `mtu` 0 leaves it to the router; `docker` "" means no plugin."""

    name: str
    nickname: str
    peers: tuple[str, ...]
    seed: tuple[str, ...]
    fastdp: bool
    mtu: int
    subnet: str
    docker: str = "unix:///var/run/docker.sock"

    def argv(self) -> list[str]:
        """Return the command of the router: neighbours only, no discovery, no name service of its own."""
        return [
            *(ON_HOST, "--name", self.name, "--nickname", self.nickname, "--port", "6783"),
            *("--weave-bridge", "weave", "--datapath", "datapath", *([] if self.fastdp else ["--no-fastdp"])),
            *(["--mtu", str(self.mtu)] if self.mtu else []),
            *("--no-discovery", "--conn-limit", "200", "--no-dns", "--ipalloc-range", self.subnet),
            *("--ipalloc-init", f"seed={','.join(self.seed)}", "--db-prefix", f"{DATA}/weave"),
            *("--http-addr", HTTP, "--status-addr", "", "--docker-api", self.docker),
            *(["--plugin"] if self.docker else []),
            *self.peers,
        ]


def network_argv(name: str) -> list[str]:
    """Return the command that makes a network as the router's plugin makes its own, but internal."""
    plugin = ["--driver=weavemesh", "--ipam-driver=weavemesh", "--opt=works.weave.multicast=true"]
    return ["docker", "network", "create", "--internal", *plugin, name]


def port(endpoint: str, interface: str, mtu: int, *, fastdp: bool) -> BridgePort:
    """Return the place of an endpoint on the bridge of a router that is not Docker's plugin.

    It is as the plugin makes it: an address of the router's own, a route for multicast, and checksums
    written before a packet leaves, where the router and not the kernel takes it up (net/veth.go of 2.8).
    """
    ask = ["curl", "-sSf", "--max-time", "20", f"http://{HTTP}/ip/{endpoint}", "-X"]
    setup = [["ip", "route", "add", "224.0.0.0/4", "dev", interface]]
    if not fastdp:
        setup.append(["ethtool", "-K", interface, "tx", "off"])
    return BridgePort("weave", mtu, [*ask, "POST"], [*ask, "DELETE"], setup)


def mac(number: int) -> str:
    """Return a router's name, by the number of its host: a locally administered MAC address."""
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
