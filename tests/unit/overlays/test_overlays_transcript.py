"""An overlay gives the same commands to every kind of host: it sees only the protocol.

Three implementations are driven with the same scripted answers; the commands that each host
was given must be equal, in the same order, with the same input.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import tarfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab import catalog
from lab.errors import NotObtainable, OverlayError
from lab.hosts import daemons
from lab.hosts.command import FullEnvironment, Trace
from lab.hosts.container import ContainerHost
from lab.hosts.facts import BINARIES, MARK, QUESTIONS
from lab.hosts.first_process import FirstProcess
from lab.hosts.host import Host, Result
from lab.hosts.namespace import NamespaceHost
from lab.hosts.ssh import SshHost
from lab.topology import Topology
from overlays import registry
from overlays.common import tls
from overlays.flannel import flanneld
from overlays.weave import router as weaver
from tests.paths import FIXTURES

CHAIN = catalog.topology("linear")
#: What a store and its clients have, in place of keys that differ each time.
FILES = (*tls.CLIENTS, *tls.SERVERS)
KEYS = {name: f"{'very-secret-word' if 'key' in name else name}\n".encode() for name in FILES}
Call = tuple[tuple[str, ...], bytes | None, tuple[str, ...]]
SPECS = (
    *("underlay", "weave", "weave:encryption=on", "weave:mode=auto", "tinc", "tinc:encryption=on"),
    *("flannel", "flannel:directrouting=on", "flannel:backend=udp", "flannel:backend=ipip"),
    *("flannel:backend=wireguard", "libnetwork", "libnetwork:mode=swarm"),
    "libnetwork:mode=swarm,encryption=on",
    *("wireguard", "wireguard:mode=user", "wireguard:mode=kernel,topology=neighbours"),
    *("yggdrasil", "nebula", "nebula:relays=on,cipher=chachapoly"),
)


class Script:
    """Answers every command as a working host would, and keeps what it was asked.

    `docker` is the version of every host's Docker daemon, empty for none.
    """

    def __init__(self, docker: str = "20.10.24") -> None:
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self.docker = docker

    def take(
        self, host: str, argv: Sequence[str], stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        self.calls[host].append((tuple(argv), stdin, tuple(sorted(env or ()))))
        asked = " ".join(argv) + (stdin or b"").decode(errors="replace")
        status, said = (0, facts(self.docker)) if MARK in asked else answer(host, asked)
        return Result(tuple(argv), status, said, "", 0.0)

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
    routes = [{"Dest": weaver.mac(h.number), "Via": weaver.mac(h.number)} for h in CHAIN.hosts]
    own = weaver.mac(CHAIN.host(host).number)
    router = {"Name": own, "Connections": connections, "UnicastRoutes": routes}
    return json.dumps({"Ready": True, "Version": "2.8.1", "Router": router})


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


async def drive(
    spec: str, make: Callable[[Topology, Script], Sequence[Host]], docker: str = "20.10.24"
) -> Mapping[str, list[Call]]:
    """Everything an overlay does in its life, on hosts of one kind."""
    script = Script(docker)
    hosts = make(CHAIN, script)
    overlay = registry.parse(spec)
    await overlay.install(hosts[:-1], CHAIN)
    with suppress(OverlayError):  # the script's hosts tell of more hosts than these
        await overlay.ready(0)
    await overlay.join(hosts[-1])
    await overlay.ready(5)
    endpoints = [await overlay.attach(host) for host in hosts]
    await overlay.refresh()
    for ask in (overlay.mode, overlay.report, overlay.counters, overlay.check, overlay.logs):
        await ask()
    await overlay.detach(endpoints[-1])
    await overlay.leave(hosts[-1])
    with suppress(OverlayError):  # not every overlay has daemons of its own
        await overlay.relaunch()
    await overlay.uninstall()
    return script.calls


def containers(topology: Topology, script: Script) -> Sequence[Host]:
    return [
        ContainerHost(
            h.name,
            h.site,
            topology.addresses(h.name),
            f"lab-{h.name}",
            script.run_here,
            FirstProcess(h.number, 1, ("NET_ADMIN",), {"LAB_ID": "ab12"}),
        )
        for h in topology.hosts
    ]


def namespaces(topology: Topology, script: Script) -> Sequence[Host]:
    return [
        NamespaceHost(
            h.name,
            h.site,
            topology.addresses(h.name),
            FirstProcess(h.number, 1, ("NET_ADMIN",), {"LAB_ID": "ab12"}),
            script.run_here,
        )
        for h in topology.hosts
    ]


def machines(topology: Topology, script: Script) -> Sequence[Host]:
    return [
        SshHost(h.name, h.site, topology.addresses(h.name), script.run_here, sudo=h.number > 1)
        for h in topology.hosts
    ]


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are never run stand in for the real ones."""
    monkeypatch.setattr(weaver, "program", lambda: b"dummy")
    monkeypatch.setattr(flanneld, "program", lambda: b"flanneld")
    monkeypatch.setenv("LAB_WEAVE_PASSWORD", "very-secret-word")
    monkeypatch.setattr(tls, "make", lambda address: {name: KEYS[name] for name in FILES})


@pytest.mark.parametrize("spec", SPECS)
async def test_all_kinds_of_hosts_are_given_the_same_commands(spec: str) -> None:
    emulated = await drive(spec, containers)
    light = await drive(spec, namespaces)
    real = await drive(spec, machines)

    assert set(emulated) == set(light) == set(real) == {h.name for h in CHAIN.hosts}
    for host in emulated:
        assert emulated[host] == light[host] == real[host]


@pytest.mark.parametrize("spec", [spec for spec in SPECS if "libnetwork" not in spec])
async def test_hosts_without_docker_are_asked_nothing_of_docker(spec: str) -> None:
    light = await drive(spec, namespaces, docker="")
    real = await drive(spec, machines, docker="")

    for host in light:
        assert light[host] == real[host]
        asked = [f"{argv} {stdin!r}" for argv, stdin, _ in light[host] if MARK.encode() not in (stdin or b"")]
        assert len([text for text in asked if "/endpoint make" in text]) == 1
        asked = [text for text in asked if "/endpoint make" not in text]
        assert not [text for text in asked if re.search(r"docker (network|ps|rm|exec)|docker\.sock", text)]


@pytest.mark.parametrize("spec", [spec for spec in SPECS if "libnetwork" in spec])
async def test_an_overlay_of_docker_s_own_says_that_docker_is_missing(spec: str) -> None:
    with pytest.raises(NotObtainable, match=f"{CHAIN.hosts[0].name} lacks a Docker daemon") as caught:
        await drive(spec, namespaces, docker="")
    assert "leave out --daemons none" in str(caught.value)


async def test_a_router_of_a_host_without_docker_is_no_plugin() -> None:
    calls = await drive("weave", namespaces, docker="")
    started = next(c[1] for c in calls["PRG"] if c[1] and b"--ipalloc-init" in c[1])
    assert b"--docker-api '' 192.168.1.1 192.168.2.3\n" in started
    assert b"--plugin" not in started


async def test_a_password_is_in_no_argv_and_no_input() -> None:
    calls = await drive("weave:encryption=on", machines)

    all_calls = [call for of_host in calls.values() for call in of_host]
    assert not [c for c in all_calls if "very-secret-word" in " ".join(c[0]) + str(c[1])]
    assert [c for c in all_calls if "WEAVE_PASSWORD" in c[2]]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("make", [containers, namespaces, machines])
async def test_no_secret_is_in_a_trace(
    spec: str, make: Callable[[Topology, Script], Sequence[Host]], tmp_path: Path
) -> None:
    trace = Trace(tmp_path / "trace.sh")

    def traced(topology: Topology, script: Script) -> Sequence[Host]:
        trace._inner = script.run_here
        hosts = make(topology, script)
        for host in hosts:
            host._run = trace  # type: ignore[attr-defined]
        return hosts

    calls = await drive(spec, traced)
    trace.close()
    text = (tmp_path / "trace.sh").read_text()
    assert not [word for word in ("very-secret-word", TOKEN, "PRIVATE KEY") if word in text]
    # and it is where it was needed
    joined = [c for of_host in calls.values() for c in of_host if TOKEN in str(c[1])]
    asked = text.count("LAB_SECRET_SWARM_JOIN_TOKEN:?the swarm join token")
    assert len(joined) == asked == text.count('"JoinToken": "${LAB_SECRET_SWARM_JOIN_TOKEN:?}"')
    assert bool(joined) == ("swarm" in spec)


async def test_a_router_is_told_no_one_but_its_neighbours() -> None:
    calls = await drive("weave", machines)

    started = next(c[1] for c in calls["PRG"] if c[1] and b"--ipalloc-init" in c[1])
    assert b"--plugin 192.168.1.1 192.168.2.3\n" in started


@pytest.mark.parametrize("spec", ["weave", "tinc", "wireguard:topology=neighbours", "yggdrasil"])
async def test_an_overlay_that_forwards_itself_gets_no_routes_but_to_neighbours(spec: str) -> None:
    calls = await drive(spec, machines)
    fed = [c[1].decode() for of_host in calls.values() for c in of_host if c[1]]
    found = re.findall(r"route replace (\S+) via (\S+) src (\S+)", "".join(fed))
    # tinc's daemons have an address of their own, in a ring too; hosts beyond the neighbours have no way
    assert len(set(found)) == (2 * 5 if spec == "tinc" else 0), "each way over every link of the chain"
    for there, gateway, own in found:
        assert (there.removesuffix("/32").rsplit(".", 1)[1], "10.62.0") == (
            gateway.rsplit(".", 1)[1],
            own[:7],
        )
        assert abs(int(gateway.rsplit(".", 1)[1]) - int(own.rsplit(".", 1)[1])) == 1, "the next host"


#: Hosts whose commands are kept: the first one has the store, where there is one; the second relays.
KEPT = ("AMS", "PRG")


def written(calls: Mapping[str, list[Call]]) -> str:
    """The commands of some hosts, one after the other, with their input; of an archive, what is in it."""
    lines = []
    for host in KEPT:
        for argv, stdin, env in calls[host]:
            if MARK.encode() in (stdin or b""):
                continue  # the questions about facts have tests of their own
            lines.append(f"{host}$ {shlex.join(argv)}{f'   # with {env}' if env else ''}")
            lines += shown(stdin)
    return "\n".join(lines) + "\n"


def shown(stdin: bytes | None) -> list[str]:
    if stdin is None:
        return []
    if stdin[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(stdin)) as archive:
            return [f"    < {one.name} {one.mode:o}, {one.size} bytes" for one in archive]
    text = stdin.decode(errors="replace")
    for part in (
        daemons._FUNCTIONS,
        daemons._END,
    ):  # tested elsewhere
        text = text.replace(part.replace("'", "'\"'\"'"), "").replace(part, "")
    return [f"    {line}" for line in text.splitlines()]


@pytest.mark.parametrize("spec", SPECS)
async def test_hosts_are_given_the_commands_that_are_kept_here(spec: str) -> None:
    """What changes them on purpose writes them anew: LAB_KEEP_TRANSCRIPTS=1, and a look at the difference."""
    kept = FIXTURES / "transcripts" / f"{spec.replace(':', '-').replace('=', '-').replace(',', '-')}.txt"
    now = written(await drive(spec, containers))
    if os.environ.get("LAB_KEEP_TRANSCRIPTS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(now)
    assert now.splitlines() == kept.read_text().splitlines()
