"""Images, the machine's Docker daemon and the seeded store, for real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lab import images
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.docker.daemon import Daemon, DaemonPaths, client
from lab.emulation.docker.image_store import endpoint_store
from lab.emulation.emulation import Emulation
from lab.errors import MachineError
from lab.events import Event, silent
from lab.hosts import command
from lab.hosts.container import ContainerHost
from tests.integration.inventory import inventory
from topologies import point_to_point

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonPaths]:
    """Room for a second Docker daemon beside the machine's own; no lab on the machine counts.

    Its path is short: that of a Unix socket has at most 108 bytes.
    """
    monkeypatch.setattr("lab.emulation.docker.daemon.labs", list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = DaemonPaths(
            *(folder / name for name in ("d.sock", "data", "exec", "d.pid")),
            record=folder / "record",
            locks=folder / "locks",
        )
        yield paths
        Daemon(paths=paths).release()


def settings_of_the_network() -> dict[str, list[str]]:
    """The settings that a Docker daemon would change on the machine, left to itself."""
    found = inventory()
    return {kind: found[kind] for kind in ("links", "routes", "iptables", "mounts", "sysctls")}


def test_a_daemon_that_the_lab_starts_leaves_nothing_when_it_goes(paths: DaemonPaths) -> None:
    before = settings_of_the_network()
    daemon = Daemon(paths=paths)
    daemon.ensure()
    assert client(paths).ping()
    assert settings_of_the_network()["iptables"] == before["iptables"]
    assert daemon.release()
    assert settings_of_the_network() == before
    assert [p for p in (paths.socket, paths.pidfile, paths.exec, paths.record) if p.exists()] == []


def test_a_daemon_stays_while_another_command_uses_it(paths: DaemonPaths) -> None:
    first, second = Daemon(paths=paths), Daemon(paths=paths)
    first.ensure()
    second.ensure()
    assert not first.release()
    assert client(paths).ping()
    assert second.release()


def test_a_daemon_of_a_killed_command_goes_with_the_next_one(paths: DaemonPaths) -> None:
    # given a command that is killed while it uses the daemon that it started
    fields = [str(getattr(paths, name)) for name in ("socket", "data", "exec", "pidfile", "record", "locks")]
    code = (
        "import sys, time; from pathlib import Path\n"
        "from lab.emulation.docker.daemon import Daemon, DaemonPaths\n"
        "Daemon(paths=DaemonPaths(*map(Path, sys.argv[1:]))).ensure()\n"
        "print('up', flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, *fields]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"up\n"
        os.kill(killed.pid, signal.SIGKILL)
    # when another one comes and goes, then so does the daemon
    next_one = Daemon(paths=paths)
    next_one.ensure()
    assert next_one.release()
    assert not paths.socket.exists()


def test_a_daemon_of_somebody_else_is_used_and_left_alone(paths: DaemonPaths) -> None:
    theirs = Daemon(paths=paths)
    theirs.ensure()
    try:
        ours = Daemon(
            paths=DaemonPaths(
                paths.socket,
                paths.data,
                paths.exec,
                paths.pidfile,
                paths.record / "x",
                paths.locks / "x",
            )
        )
        ours.ensure()
        assert not ours.release()
        assert client(paths).ping()
    finally:
        assert theirs.release()


def test_a_daemon_that_cannot_start_says_why_and_leaves_nothing(paths: DaemonPaths) -> None:
    paths.data.write_text("no folder")
    with pytest.raises(MachineError, match="Docker did not start"):
        Daemon(paths=paths).ensure()
    assert not paths.record.exists()
    assert not paths.pidfile.exists()


def test_what_is_up_to_date_is_not_built_again(docker_daemon: None) -> None:
    first = images.ensure(client(), silent)
    told: list[Event] = []
    assert images.ensure(client(), told.append) == first
    assert told == []
    assert all(image.fresh for image in first)


@pytest.fixture
async def host(docker_daemon: None) -> AsyncIterator[ContainerHost]:
    """One emulated host, with another at the end of its link."""
    async with Emulation(point_to_point.topology()) as lab:
        yield lab.hosts["AMS"]


async def test_a_host_has_the_capabilities_of_the_list_and_no_more(host: ContainerHost) -> None:
    status = (await host.run(["cat", "/proc/1/status"])).stdout
    bounding = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd")), 16)
    names = (await host.run(["capsh", f"--decode={bounding:x}"])).stdout.strip().split("=")[1]
    assert {name.removeprefix("cap_").upper() for name in names.split(",")} == set(HOST_CAPABILITIES)


async def test_a_host_gets_no_system_call_that_the_profile_refuses(host: ContainerHost) -> None:
    status = (await host.run(["cat", "/proc/1/status"])).stdout
    assert "Seccomp:\t2" in status
    # process_vm_readv of nothing, which any process may do elsewhere: number 310 of x86-64, 270 of others
    script = "$n = `uname -m` =~ /x86_64/ ? 310 : 270; syscall($n, $$, 0, 0, 0, 0, 0) == 0 or print $!"
    inside = ["docker", "exec", host.container, "perl", "-e", script]
    assert (await command.run(inside)).stdout == "Operation not permitted"


async def test_sys_is_read_only_but_for_control_groups(host: ContainerHost) -> None:
    refused = await host.run(["sh"], stdin=b"echo 1 > /sys/class/net/lo/tx_queue_len", check=False)
    assert "Read-only file system" in refused.stderr
    made = "for g in /sys/fs/cgroup/cpu /sys/fs/cgroup; do [ ! -w $g/cgroup.procs ] || break; done\n"
    await host.run(["sh", "-e"], stdin=f"{made}mkdir $g/probe\nrmdir $g/probe".encode())


async def test_the_daemon_inside_does_what_overlays_ask(host: ContainerHost) -> None:
    run = ["docker", "run", "-d", "--cap-add", "NET_ADMIN", "--cpus", "0.5", "--memory", "64m"]
    await host.run([*run, "--name", "one", "lab/gtsperf"])
    await host.run([*run, "--name", "two", "-p", "80:80", "lab/gtsperf"])
    words = "{{.NetworkSettings.IPAddress}}"
    address = (await host.run(["docker", "inspect", "-f", words, "two"])).stdout.strip()
    await host.run(["docker", "exec", "one", "ping", "-c", "1", "-W", "2", address])
    await host.run(["docker", "exec", "one", "ethtool", "-K", "eth0", "gso", "off"])
    rules = (await host.run(["iptables", "-t", "nat", "-S"])).stdout
    assert "MASQUERADE" in rules
    assert "--dport 80" in rules
    for device in (["vxlan", "id", "7", "dstport", "4799", "dev", "eth1"], ["ifb"]):
        await host.run(["ip", "link", "add", "probe0", "type", *device])
        await host.run(["ip", "link", "del", "probe0"])
    await host.run(["ip", "tuntap", "add", "dev", "tap0", "mode", "tap"])


async def test_docker_restarts_with_the_settings_of_its_file(host: ContainerHost) -> None:
    await host.put(b'{"bip": "10.99.0.1/24"}', "/etc/docker/daemon.json")
    await host.run(["/usr/local/lib/lab/docker-daemon", "restart"])
    assert "10.99.0.1/24" in (await host.run(["ip", "-o", "addr", "show", "docker0"])).stdout
    await host.run(["docker", "run", "--rm", "lab/gtsperf", "true"])


async def test_settings_that_docker_refuses_are_an_error_with_its_words(host: ContainerHost) -> None:
    await host.put(b'{"no-such-setting": 1}', "/etc/docker/daemon.json")
    result = await host.run(["/usr/local/lib/lab/docker-daemon", "restart"], check=False, timeout=90)
    assert result.status != 0
    assert "no-such-setting" in result.stderr


async def test_equipping_a_host_twice_changes_nothing(host: ContainerHost) -> None:
    await host.put((images.SOURCES / "provision.sh").read_bytes(), "/tmp/images/provision.sh")
    for name in ("entry", "docker-daemon"):
        await host.put((images.SOURCES / "host" / name).read_bytes(), f"/tmp/images/host/{name}")
    before = (await host.run(["dpkg-query", "-W"])).stdout
    result = await host.run(["sh", "/tmp/images/provision.sh", "host"])
    assert "every package is there" in result.stdout
    assert (await host.run(["dpkg-query", "-W"])).stdout == before


async def test_a_host_changes_neither_the_seed_nor_its_neighbour(docker_daemon: None) -> None:
    seed = endpoint_store()
    before = await asyncio.to_thread(_tree, seed)
    async with Emulation(point_to_point.topology()) as lab:
        one, two = lab.hosts.values()
        await one.run(["docker", "run", "-d", "--name", "endpoint", "lab/gtsperf"])
        await one.run(
            ["docker", "exec", "endpoint", "sh", "-c", "echo x > /etc/debian_version; rm -r /usr/bin"]
        )
        await one.run(["docker", "commit", "endpoint", "another"])
        await one.run(["docker", "rm", "-f", "endpoint"])
        await one.run(["docker", "rmi", "-f", "another", "lab/gtsperf"])
        await two.run(["docker", "run", "--rm", "lab/gtsperf", "iperf3", "--version"])
    assert await asyncio.to_thread(_tree, seed) == before


def _tree(folder: Path) -> list[tuple[str, int, int]]:
    """Every file of a folder with its size and time of change."""
    found = [(p, p.lstat()) for p in folder.rglob("*")]
    return sorted((str(p), s.st_size, s.st_mtime_ns) for p, s in found)
