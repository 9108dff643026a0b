"""An overlay gives the same commands to every kind of host: it sees only the protocol.

Three implementations are driven with the same scripted answers; the commands that each host
was given must be equal, in the same order, with the same input.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from lab.errors import NotObtainable, OverlayError
from lab.hosts import daemons
from lab.hosts.command import Trace
from lab.hosts.container import ContainerHost
from lab.hosts.facts import MARK
from lab.hosts.first_process import FirstProcess
from lab.hosts.host import Endpoint, Host, HostFacts
from lab.hosts.namespace import NamespaceHost
from lab.hosts.ssh import SshHost
from lab.topology import Topology
from overlays import registry
from overlays.base import Overlay
from overlays.common import tls
from overlays.flannel import flanneld
from overlays.weave import router as weaver
from tests.paths import FIXTURES
from tests.unit.overlays.scripted import CHAIN, RING, TOKEN, Call, Script

#: What a store and its clients have, in place of keys that differ each time.
FILES = (*tls.CLIENTS, *tls.SERVERS)
KEYS = {name: f"{'very-secret-word' if 'key' in name else name}\n".encode() for name in FILES}
SPECS = (
    *(
        "underlay",
        "weave",
        "weave:mode=sleeve",
        "weave:mode=sleeve,encryption=on",
        "tinc",
        "tinc:encryption=on",
    ),
    *("flannel", "flannel:directrouting=on", "flannel:backend=udp", "flannel:backend=ipip"),
    *("flannel:backend=wireguard", "libnetwork", "libnetwork:mode=swarm"),
    "libnetwork:mode=swarm,encryption=on",
    *("wireguard", "wireguard:mode=user", "wireguard:mode=kernel,topology=neighbours"),
    *("yggdrasil", "nebula", "nebula:relays=on,cipher=chachapoly"),
)


async def drive(
    spec: str, make: Callable[[Topology, Script], Sequence[Host]], docker: str = "20.10.24"
) -> Mapping[str, list[Call]]:
    """Everything an overlay does in its life, on hosts of one kind; returns their commands."""
    return (await live(spec, make, docker)).calls


async def live(
    spec: str,
    make: Callable[[Topology, Script], Sequence[Host]],
    docker: str = "20.10.24",
    *,
    changes: bool = False,
) -> Script:
    """Everything an overlay does in its life, on hosts of one kind; with `changes`, links and hosts too."""
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
    script.said += about(overlay, hosts, endpoints)
    for ask in (overlay.mode, overlay.report, overlay.counters, overlay.check, overlay.logs, overlay.memory):
        script.said.append(f"{ask.__name__}: {await ask()}")
    if prove := getattr(overlay, "multihop_proof", None):
        script.said.append(f"behind others: {await prove()}")
    if changes:
        await script.tries("rewire", overlay.rewire(RING))
    await overlay.detach(endpoints[-1])
    await overlay.leave(hosts[-1])
    await script.tries("relaunch", overlay.relaunch())  # not every overlay has daemons of its own
    if changes:
        await script.tries("leave the first host", overlay.leave(hosts[0]))
    await overlay.uninstall()
    script.said.append(f"at the end: {overlay.hosts}")
    return script


def about(overlay: Overlay, hosts: Sequence[Host], endpoints: Sequence[Endpoint]) -> Iterator[str]:
    """What an overlay says of itself without a question to its hosts."""
    yield f"hops: {overlay.hops}; user space: {overlay.user_space}; encrypts: {overlay.encrypts}"
    for lack in overlay.prerequisites(HostFacts("6.1", "x86_64", ())):
        yield f"a bare host lacks {lack.what}: {lack.remedy}"
    for host, endpoint in zip(hosts, endpoints, strict=True):
        where = f"{endpoint.container} {endpoint.address} {endpoint.interface} {endpoint.script}"
        yield f"{host.name}: {where}; {dict(endpoint.neighbours)}; {overlay.pidfiles(host)}"


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


#: Overlays whose commands on hosts without Docker are kept as well.
LIGHT = ("underlay", "weave:mode=sleeve", "tinc", "flannel", "wireguard", "yggdrasil", "nebula")


@pytest.mark.parametrize(("spec", "light"), [*((s, False) for s in SPECS), *((s, True) for s in LIGHT)])
async def test_hosts_are_given_the_commands_that_are_kept_here(spec: str, light: bool) -> None:
    """What changes them on purpose writes them anew: LAB_KEEP_TRANSCRIPTS=1, and a look at the difference."""
    name = re.sub("[:=,]", "-", spec) + ("-light" if light else "")
    kept = FIXTURES / "transcripts" / f"{name}.txt"
    if light:
        script = await live(spec, namespaces, docker="", changes=True)
    else:
        script = await live(spec, containers, changes=True)
    now = written(script.calls) + "".join(f"# {line}\n" for line in script.said)
    if os.environ.get("LAB_KEEP_TRANSCRIPTS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(now)
    assert now.splitlines() == kept.read_text().splitlines()
