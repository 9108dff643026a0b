"""A chain of hosts that answer an overlay's commands as working hosts would, and keep them."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import networkx as nx

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.command import FullEnvironment
from lab.hosts.facts import BINARIES, MARK, QUESTIONS
from lab.hosts.host import Result
from lab.topology import Topology
from overlays.weave import router as weaver

CHAIN = catalog.topology("linear")


def ring() -> Topology:
    """Return the same hosts, of which the first and the last are joined as well."""
    graph = nx.Graph(CHAIN.pinned().graph)
    graph.add_edge(CHAIN.hosts[0].name, CHAIN.hosts[-1].name, rtt=9.0)
    return Topology(graph, name="ring")


RING = ring()
Call = tuple[tuple[str, ...], bytes | None, tuple[str, ...]]


class Script:
    """Answers every command as a working host would, and keeps what it was asked.

    `docker` is the version of every host's Docker daemon, empty for none.
    """

    def __init__(self, docker: str = "20.10.24") -> None:
        self.calls: dict[str, list[Call]] = defaultdict(list)
        #: What the overlay says of itself and of its hosts.
        self.said: list[str] = []
        self.docker = docker

    def take(
        self, host: str, argv: Sequence[str], stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        self.calls[host].append((tuple(argv), stdin, tuple(sorted(env or ()))))
        asked = " ".join(argv) + (stdin or b"").decode(errors="replace")
        status, said = (0, facts(self.docker)) if MARK in asked else answer(host, asked)
        return Result(tuple(argv), status, said, "", 0.0)

    async def tries(self, what: str, work: Awaitable[None]) -> None:
        """Do something that not every overlay can, and note its words where it cannot."""
        try:
            await work
        except OverlayError as error:
            self.said.append(f"{what}: {error}")

    async def run_here(
        self,
        argv: Sequence[str],
        *,
        on: str = "",
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """In place of what runs a command: takes off what leads into a container, or to a machine."""
        words = list(argv)
        words = words[words.index("timeout") + 4 :]
        return self.take(on, words, stdin, env.given if isinstance(env, FullEnvironment) else env)


def answer(host: str, asked: str) -> tuple[int, str]:
    """A status and an output for a command, by what occurs in it; the first match counts."""
    answers: dict[str, tuple[int, str]] = {
        "/endpoint make": (0, "10.9.8.7/16\n"),
        "http://docker/containers/": api({"NetworkSettings": {"Networks": dict.fromkeys(NETWORKS, ADDRESS)}}),
        "/report": (0, weave_report(host)),
        "grep -H -s": (1, ""),
        "cat /usr/local/lib/lab": (1, ""),
        "--max-time 2 http": (0, '{"health":"true"}'),
        "/v2/keys": (0, store()),
        "/networks/lab": api({"Driver": "overlay"}),
        "http://docker/info": api({"Swarm": {"LocalNodeState": "active", "Error": ""}}),
        "http://docker/networks/ingress": (0, "\n404"),
        "http://docker/_ping": (0, "OK\n200"),
        "http://docker/networks/create": (0, "\n201"),
        "clusterpeers": (0, known()),
        "http://docker/nodes": api([READY] * len(CHAIN.hosts)),
        "http://docker/swarm": api({"JoinTokens": {"Worker": TOKEN}}),
        "/run/flannel/subnet.env": (0, f"FLANNEL_SUBNET={lease(host)}.1/24\nFLANNEL_MTU=1450\n"),
        "ip route show root": (0, flannel_routes()),
        "rsa_key": (0, "-----BEGIN RSA PUBLIC KEY-----\nx\n-----END RSA PUBLIC KEY-----\n"),
        "USR2": (0, tinc_nodes(host)),
        "nebula-cert sign": (0, NEBULA_CERTIFICATE * asked.count("nebula-cert sign")),
        "Handshake message received": (0, nebula_log()),
        "show wg-lab allowed-ips": (0, allowed(host)),
        "VmRSS": (0, "5120\n"),
        "base64 -w0 /var/log/lab": (0, base64.b64encode(b"words of a daemon").decode()),
        "wg pubkey": (0, f"{wg_key(host)}\n"),
        "latest-handshakes": (0, "".join(f"{wg_key(h.name)}\t1796070895\n" for h in CHAIN.hosts)),
        "yggdrasilctl": (0, yggdrasil_node(host)),
        "-address": (0, f"{yggdrasil_address(host)}\n"),
        "-details link show wg-lab": (0, '[{"linkinfo": {"info_kind": "tun"}}]'),
        "perl - show": (0, "hit:3 missed:2 lost:1\n"),
    }
    return next((said for part, said in answers.items() if part in asked), (0, ""))


def api(said: Any) -> tuple[int, str]:
    """What curl prints of an answer of Docker's."""
    return 0, f"{json.dumps(said)}\n200"


TOKEN = "SWMTKN-1-for-workers"
READY = {"Status": {"State": "ready"}, "Description": {"Hostname": "AMS"}}
ADDRESS = {"IPAddress": "10.9.8.7"}
NETWORKS = (
    "lab",
    "bridge",
    *(f"lab-{name}" for name in ("weave", "tinc", "wireguard", "yggdrasil", "nebula")),
)


def flannel_routes() -> str:
    """Whatever the backend: a route to every host, and one to all by each tunnel that has one."""
    tunnels = "".join(f"10.100.0.0/16 dev {device}\n" for device in ("flannel0", "flannel-wg"))
    return tunnels + "".join(f"{lease(h.name)}.0/24 dev flannel.1\n" for h in CHAIN.hosts)


def lease(host: str) -> str:
    return f"10.100.{CHAIN.host(host).number}"


def facts(docker: str) -> str:
    said = {
        "machine": "6.1.0 x86_64\n",
        "docker": f"{docker}\n",
        "programs": "".join(f"/usr/bin/{name}\n" for name in BINARIES),
        "links": "",
        "openvswitch": "ID: 0x1e\n",
        "esp": "yes\n",
        "tun": "yes\n",
        "bridge-nf": "yes\n",
        "ipv6": "yes\n",
    }
    return "".join(f"{MARK} {name}\n{said[name]}" for name in QUESTIONS)


def weave_report(host: str) -> str:
    connections = [
        {
            "Address": f"{link.address(link.other(host))}:6783",
            "State": "established",
            "Attrs": {"name": "sleeve"},
        }
        for link in CHAIN.links_of(host)
    ]
    routes = [
        {"Dest": weaver.mac(h.number), "Via": weaver.mac(CHAIN.host(next_hop(host, h.name)).number)}
        for h in CHAIN.hosts
    ]
    own = weaver.mac(CHAIN.host(host).number)
    router = {"Name": own, "Connections": connections, "UnicastRoutes": routes}
    return json.dumps({"Ready": True, "Version": "2.8.1", "Router": router})


def next_hop(host: str, other: str) -> str:
    """The neighbour by which a host of the chain reaches another one."""
    return other if host == other else CHAIN.path(host, other)[1]


def allowed(host: str) -> str:
    """What WireGuard sends to each neighbour: what is for all hosts beyond it."""
    lines = [
        [wg_key(near), *(f"10.70.{h.number}.0/24" for h in CHAIN.hosts if next_hop(host, h.name) == near)]
        for near in CHAIN.neighbours(host)
    ]
    return "".join(f"{key}\t{' '.join(parts)}\n" for key, *parts in lines)


def store() -> str:
    leaves = [{"value": f"{CHAIN.address(h.name)}:2376"} for h in CHAIN.hosts]
    return json.dumps({"node": {"nodes": leaves}})


def known() -> str:
    return json.dumps({"details": {"entries": [{"ip": CHAIN.address(h.name)} for h in CHAIN.hosts]}})


NEBULA_CERTIFICATE = "-----BEGIN NEBULA CERTIFICATE-----\nx\n-----END NEBULA CERTIFICATE-----\n"


def nebula_log() -> str:
    said = {"msg": "Handshake message received", "udpAddr": {"ip": "192.168.1.1", "port": 4242}}
    return "".join(json.dumps({**said, "vpnIp": f"10.91.0.{h.number}"}) + "\n" for h in CHAIN.hosts)


def wg_key(host: str) -> str:
    return f"public-key-of-{host}="


def yggdrasil_address(host: str) -> str:
    return f"200::{CHAIN.host(host).number}"


def yggdrasil_node(host: str) -> str:
    """The first host is the root of the tree; the port to a neighbour is the neighbour's number."""
    near = CHAIN.neighbours(host)
    peers = [{"address": yggdrasil_address(name), "port": CHAIN.host(name).number} for name in near]
    paths = [
        {"address": yggdrasil_address(h.name), "path": [CHAIN.host(CHAIN.path(host, h.name)[1]).number, 0]}
        for h in CHAIN.hosts
        if h.name != host
    ]
    own = {"address": yggdrasil_address(host), "coords": [1] * (CHAIN.host(host).number - 1)}
    return "\n".join(json.dumps(said) for said in (own, {"peers": peers}, {"paths": paths}))


def tinc_nodes(host: str) -> str:
    line = " {0} at 1.1.1.1 port 655 cipher 0 digest 0 status 003a nexthop {0} via x pmtu 9 (min 9 max 9)\n"
    return (
        "Nodes:\n" + "".join(line.format(h.name) for h in CHAIN.hosts if h.name != host) + "End of nodes.\n"
    )
