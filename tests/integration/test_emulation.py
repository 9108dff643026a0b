"""The lab on real Docker and real links: what is asked is there, and afterwards nothing is."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.emulation.emulation import Emulation
from lab.emulation.ownership import labs
from lab.errors import HostTimeout, LabError
from lab.hosts import command as process
from lab.hosts.container import ContainerHost
from tests.integration.inventory import inventory
from topologies import linear, point_to_point

ROOT = Path(__file__).resolve().parents[2]


async def round_trip(host: ContainerHost, address: str, count: int = 20) -> float:
    """Median RTT in ms over `count` echoes."""
    result = await host.run(["ping", "-n", "-c", str(count), "-i", "0.05", address])
    times = sorted(float(t) for t in re.findall(r"time=([0-9.]+)", result.stdout))
    return times[len(times) // 2]


async def test_every_link_of_the_chain_has_the_rtt_that_was_asked(nothing_left: None) -> None:
    topology = linear.topology()
    async with Emulation(topology) as lab:
        for link in topology.links:
            measured = await round_trip(lab.hosts[link.a], link.address_b)
            assert abs(measured - link.rtt) <= max(0.5, 0.02 * link.rtt), link.name


async def test_tcp_stays_below_the_rate_that_was_asked(nothing_left: None) -> None:
    # given a link of 20 Mbit/s
    topology = point_to_point.topology().with_rate(20.0)
    async with Emulation(topology) as lab:
        link = topology.links[0]
        await start_endpoint(lab.hosts[link.a])
        await start_endpoint(lab.hosts[link.b])
        await lab.hosts[link.b].run(["docker", "exec", "-d", "endpoint", "iperf3", "-s", "-1"])
        await listening(lab.hosts[link.b], 5201)
        # when TCP runs over it
        argv = ["docker", "exec", "endpoint", "iperf3", "-c", link.address_b, "-t", "4", "-O", "1", "-f", "m"]
        result = await lab.hosts[link.a].run(argv)
    # then what arrives is near the rate and never above it
    received = float(re.search(r"([0-9.]+) Mbits/sec\s+receiver", result.stdout)[1])  # type: ignore[index]
    assert 14.0 < received < 20.0


async def start_endpoint(host: ContainerHost) -> None:
    await host.run(["docker", "run", "-d", "--name", "endpoint", "--network", "host", "lab/gtsperf"])


async def listening(host: ContainerHost, port: int) -> None:
    deadline = time.monotonic() + 10
    while f":{port} " not in (await host.run(["ss", "-Hltn"])).stdout:
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        await asyncio.sleep(0.05)


async def test_a_host_has_no_way_out_of_the_machine(nothing_left: None) -> None:
    async with Emulation(point_to_point.topology()) as lab:
        host = lab.hosts["AMS"]
        routes = (await host.run(["ip", "route", "show", "default"])).stdout
        interfaces = (await host.run(["ls", "/sys/class/net"])).stdout.split()
    assert routes == ""
    assert set(interfaces) <= {"lo", "eth1", "docker0"}


async def test_no_host_is_privileged(nothing_left: None) -> None:
    from lab.emulation.docker.capabilities import HOST_CAPABILITIES

    async with Emulation(point_to_point.topology()) as lab:
        argv = ["docker", "inspect", "-f", "{{.HostConfig.Privileged}} {{.HostConfig.CapAdd}}"]
        names = [host.container for host in lab.hosts.values()]
        shown = (await process.run([*argv, *names])).stdout
        held = (await lab.hosts["AMS"].run(["grep", "CapBnd", "/proc/1/status"])).stdout.split()[1]
    assert shown.count("false [") == len(names)
    assert bin(int(held, 16)).count("1") == len(HOST_CAPABILITIES)
    assert "SYS_RESOURCE" not in shown
    assert "ALL" not in shown


LOOK = """
grep -E '^(Cap|NoNewPrivs|Groups)' /proc/self/status; readlink /proc/self/ns/*
cat /proc/self/cgroup; env | sort; id; pwd; umask; ulimit -a
"""


async def test_a_command_is_confined_as_docker_confines_it(nothing_left: None) -> None:
    """It enters a host without Docker's help, and must not count elsewhere, or be able to do more.

    But for its profile of system calls, which a command that enters does not get (SECURITY.md).
    """
    async with Emulation(point_to_point.topology()) as lab:
        host = lab.hosts["AMS"]
        ours = (await host.run(["sh", "-c", LOOK])).stdout
        dockers = (await process.run(["docker", "exec", host.container, "sh", "-c", LOOK])).stdout
    assert ours == dockers


async def test_cpus_of_a_host_are_enforced(nothing_left: None) -> None:
    # given a host with a quarter of a processor
    graph = point_to_point.topology().graph.copy()
    graph.nodes["AMS"]["cpus"] = 0.25
    from lab.topology import Topology

    async with Emulation(Topology(graph, name="quarter")) as lab:
        # when it spins for two seconds of wall time
        spin = 'timeout 2 sh -c "while :; do :; done"; times'
        result = await lab.hosts["AMS"].run(["sh", "-c", spin], check=False)
        of_children = result.stdout.splitlines()[1]
        used = sum(float(seconds) for seconds in re.findall(r"0m([0-9.]+)s", of_children))
    # then it had about a quarter of that
    assert 0.3 < used < 0.8, result.stdout


async def test_two_labs_stand_side_by_side(nothing_left: None) -> None:
    topology = point_to_point.topology()
    async with Emulation(topology) as one, Emulation(topology) as two:
        address = topology.links[0].address_b
        first, second = await asyncio.gather(
            round_trip(one.hosts["AMS"], address), round_trip(two.hosts["AMS"], address)
        )
    assert first == pytest.approx(second, abs=1.0)


async def test_a_command_with_a_deadline_is_ended_on_the_host_too(nothing_left: None) -> None:
    async with Emulation(point_to_point.topology()) as lab:
        with pytest.raises(HostTimeout, match="AMS"):
            await lab.hosts["AMS"].run(["sleep", "60"], timeout=0.5)
        left = await lab.hosts["AMS"].run(["pgrep", "-x", "-f", "sleep 60"], check=False)
    assert left.stdout == ""


async def test_files_and_daemons_of_a_host(nothing_left: None) -> None:
    async with Emulation(point_to_point.topology()) as lab:
        host = lab.hosts["AMS"]
        await host.put(b"a\0b", "/etc/lab/some file", mode=0o600)
        assert await host.get("/etc/lab/some file") == b"a\0b"
        await host.start("sleeper", ["sleep", "600"])
        await host.start("sleeper", ["sleep", "600"])
        assert len((await host.run(["pgrep", "-x", "-f", "sleep 600"])).stdout.split()) == 1
        assert await host.alive("sleeper")
        await host.stop("sleeper")
        assert not await host.alive("sleeper")


async def test_secrets_reach_a_command_but_no_argv(nothing_left: None, tmp_path: Path) -> None:
    from lab.hosts.command import Trace

    trace = Trace(tmp_path / "trace.sh")
    async with Emulation(point_to_point.topology(), run=trace) as lab:
        result = await lab.hosts["AMS"].run(["sh", "-c", "echo $SECRET | rev"], env={"SECRET": "terces"})
    trace.close()
    assert result.stdout == "secret\n"
    assert "terces" not in (tmp_path / "trace.sh").read_text()


def test_kill_9_at_any_moment_leaves_what_cleanup_removes(docker_daemon: None) -> None:
    before = inventory()
    # given commands that are killed after different times of building and running
    for seconds in (0.5, 1.5, 3.0):
        script = (
            "import asyncio\nfrom lab.emulation.emulation import Emulation\nfrom topologies import linear\n"
            "async def main():\n"
            "  async with Emulation(linear.topology()) as lab:\n    await asyncio.sleep(60)\n"
            "asyncio.run(main())"
        )
        command = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
        time.sleep(seconds)
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
        # when clean-up runs
        done = subprocess.run(
            [sys.executable, "-m", "lab", "cleanup"], cwd=ROOT, capture_output=True, text=True
        )
        # then nothing of them is left
        assert done.returncode == 0, done.stderr
        assert inventory() == before, f"killed after {seconds} s"


def test_cleanup_leaves_a_lab_alone_whose_command_runs(docker_daemon: None) -> None:
    async def main() -> None:
        async with Emulation(point_to_point.topology()) as lab:
            argv = [sys.executable, "-m", "lab", "cleanup"]
            done = await asyncio.to_thread(subprocess.run, argv, cwd=ROOT, capture_output=True, text=True)
            assert "is left alone" in done.stdout
            assert (await lab.hosts["AMS"].run(["true"])).status == 0

    asyncio.run(main())
    assert labs() == []


async def test_an_error_while_building_leaves_nothing(nothing_left: None) -> None:
    graph = point_to_point.topology().graph.copy()
    graph.nodes["BRA"]["image"] = "no-such-image"
    from lab.topology import Topology

    with pytest.raises((LabError, ExceptionGroup)) as caught:
        async with Emulation(Topology(graph, name="broken")):
            pass
    assert "no-such-image" in str(caught.value)
