"""Hosts without Docker, for real: namespaces on shaped links, and nothing of them afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.emulation import registry
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.emulation import Emulation
from lab.emulation.light.hosts import image_roots
from lab.emulation.links.calibration import calibrate
from lab.emulation.ownership import labs, start_time
from lab.errors import CommandError, LabError, TopologyError
from lab.events import silent
from lab.hosts.base import BaseHost
from lab.hosts.host import ENDPOINT_ROOT
from tests.integration.inventory import inventory
from topologies import grid, linear, point_to_point, ring

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def roots() -> None:
    """The images' files, which Docker is needed for once."""
    image_roots(silent)


@pytest.fixture
def nothing_left(roots: None) -> Iterator[None]:
    """The machine is after the test what it was before; without Docker's own daemon."""
    before = {**inventory(), "first processes": first_processes()}
    yield
    assert {**inventory(), "first processes": first_processes()} == before


def first_processes() -> list[str]:
    """Processes of labs, whatever they run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"\0LAB_ID=" in b"\0" + (folder / "environ").read_bytes():
                found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def lab(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    words = [sys.executable, "-m", "lab", *argv]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


async def said(host: BaseHost, *argv: str) -> str:
    return (await host.run(argv)).stdout.strip()


async def test_six_light_hosts_have_the_links_that_were_asked(nothing_left: None) -> None:
    topology = linear.topology()
    async with Emulation(topology, daemons="none") as made:
        figures, off = await calibrate(made.links, made.shaper)
        assert (len(figures), off) == (5, [])
        link = topology.links[0]
        printed = await said(made.hosts[link.a], "ping", "-n", "-c", "10", "-i", "0.05", link.address_b)
        times = sorted(float(word) for word in re.findall(r"time=([0-9.]+)", printed))
        assert abs(times[len(times) // 2] - link.rtt) <= max(0.5, 0.02 * link.rtt)
        # and a packet goes over a host in between, which forwards it
        far = topology.links[1]
        await made.hosts[far.b].run(["ip", "route", "add", link.subnet, "via", far.address_a])
        await made.hosts[link.a].run(["ip", "route", "add", far.subnet, "via", link.address_b])
        assert "1 received" in await said(made.hosts[link.a], "ping", "-c", "1", far.address_b)


async def test_a_light_host_is_a_machine_of_its_own(nothing_left: None) -> None:
    async with Emulation(point_to_point.topology(), daemons="none") as made:
        host, other = made.hosts["AMS"], made.hosts["BRA"]
        assert await said(host, "hostname") == "AMS"
        assert (await said(host, "getent", "hosts", "AMS")).split()[-1] == "AMS"
        assert "localhost" in await said(host, "getent", "hosts", "localhost")
        assert set((await said(host, "ls", "/sys/class/net")).split()) == {"lo", "eth1"}
        assert await said(host, "ip", "route", "show", "default") == ""
        assert await said(host, "cat", "/proc/sys/net/ipv4/ip_forward") == "1"
        assert (await said(host, "ps", "-e", "-o", "comm=")).split()[:2] == ["tini", "sleep"]
        assert (await host.facts()).docker == ()
        # its files are its own, and the endpoint's are nobody's to change
        await host.put(b"mine", "/etc/lab-test")
        await host.run(["sh", "-c", "echo x > /dev/null; echo x > /run/x; echo x > /tmp/x"])
        with pytest.raises(CommandError):
            await other.run(["cat", "/etc/lab-test"])
        assert await said(host, "test", "-x", f"{ENDPOINT_ROOT}/usr/bin/iperf3") == ""
        with pytest.raises(CommandError, match="Read-only"):
            await host.run(["touch", f"{ENDPOINT_ROOT}/x"])
        # the kernel's settings of devices are nobody's to change either
        refused = await host.run(["sh"], stdin=b"echo 1 > /sys/class/net/lo/tx_queue_len", check=False)
        assert "Read-only file system" in refused.stderr
        # nothing of this machine is in its mounts but those
        assert str(made.state.folder) not in (await said(host, "ls", "/run")).split()


async def test_a_command_may_do_no_more_than_in_a_container(nothing_left: None) -> None:
    async with Emulation(point_to_point.topology(), daemons="none") as made:
        shown = await said(made.hosts["AMS"], "grep", "-h", "CapBnd", "/proc/1/status", "/proc/self/status")
    first, own = (int(line.split()[1], 16) for line in shown.splitlines())
    assert first == own
    assert bin(own).count("1") == len(HOST_CAPABILITIES)


async def test_docker_is_neither_started_nor_asked(
    nothing_left: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("docker", "dockerd"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    async with Emulation(point_to_point.topology(), daemons="none") as made:
        assert "root file systems" in await made.versions()
        assert made.containers == made.container_ids == {}


async def test_all_processes_of_a_host_end_with_it(nothing_left: None) -> None:
    async with Emulation(ring.topology(), daemons="none") as made:
        await made.hosts["AMS"].start(
            "lingerer", ["sleep", "1000"], env={"LAB_ID": "hidden", "HOSTNAME": "x"}
        )
        inside = int(await said(made.hosts["AMS"], "cat", "/run/lab/daemons/lingerer.pid"))
        pid = outer_pid(made.pids["AMS"], inside)
        assert start_time(pid)
        await made.remove_docker("AMS")
        assert start_time(pid) is None
        assert "AMS" not in made.hosts
        assert "BRA" in await said(made.hosts["BRA"], "hostname")


def outer_pid(first: int, inside: int) -> int:
    """This machine's number of a process that has the number `inside` in the namespace of `first`."""
    space = Path(f"/proc/{first}/ns/pid").readlink()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "ns/pid").readlink() == space:
                line = next(x for x in (folder / "status").read_text().splitlines() if x.startswith("NSpid"))
                if line.split()[-1] == str(inside):
                    return int(folder.name)
        except OSError:
            continue
    raise AssertionError(f"no process {inside} in {space}")


def test_what_a_killed_command_left_is_cleaned_up(nothing_left: None) -> None:
    script = (
        "import asyncio\nfrom lab.emulation.emulation import Emulation\nfrom topologies import linear\n"
        "async def main():\n  async with Emulation(linear.topology(), daemons='none') as made:\n"
        "    print(*made.pids.values(), flush=True)\n    await asyncio.sleep(600)\nasyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        pids = [int(word) for word in owner.stdout.readline().split()]
        owner.send_signal(signal.SIGKILL)
    assert len(pids) == 6
    assert all(start_time(pid) for pid in pids)
    assert lab("cleanup").returncode == 0
    assert not any(start_time(pid) for pid in pids)


def meters() -> list[int]:
    """The processes that measure links."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and b"links.link_meter" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def test_what_measures_links_ends_with_a_killed_commands_lab(nothing_left: None) -> None:
    """It went on for seconds after `cleanup` had said that it was done."""
    script = (
        "import asyncio\nfrom lab.emulation.emulation import Emulation\n"
        "from lab.emulation.links.calibration import measure\nfrom topologies import linear\n"
        "async def main():\n  async with Emulation(linear.topology(), daemons='none') as made:\n"
        "    while True:\n      await measure(made.links, made.shaper)\nasyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as owner:
        deadline = time.monotonic() + 60
        while not meters():
            assert time.monotonic() < deadline, owner.poll()
            time.sleep(0.005)
        time.sleep(0.2)  # it is at work
        owner.kill()
    assert lab("cleanup").returncode == 0
    assert meters() == []


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_a_command_killed_while_it_makes_hosts_leaves_nothing_to_clean_up_twice(
    nothing_left: None, after: float
) -> None:
    argv = [sys.executable, "-m", "lab", "up", "grid:rows=5,columns=5", "--daemons", "none", "--name", "cut"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as owner:
        deadline = time.monotonic() + 60
        while not any(state.owned("host") for state in labs()):
            assert time.monotonic() < deadline, owner.poll()
            time.sleep(0.005)
        time.sleep(after)  # the moment at which it is killed
        owner.kill()
    assert lab("cleanup").returncode == 0
    assert lab("cleanup").stdout.strip() == "nothing to remove"


def test_the_verbs_work_on_a_light_lab(nothing_left: None) -> None:
    made = lab("up", "linear", "--daemons", "none", "--name", "light")
    assert made.returncode == 0, made.stderr
    try:
        seen = json.loads(lab("ps", "light", "--json").stdout)[0]
        assert all(host["up"] and host["cpus"] is None and not host["dead"] for host in seen["hosts"])
        assert lab("exec", "-l", "light", "PRG", "--", "hostname").stdout == "PRG\n"
        pid = registry.find("light").hosts[1].pid
        # another topology: a host goes, a link comes, what stays is not touched
        changed = lab("up", "ring", "--name", "light")
        assert "- host AMS2" in changed.stdout, changed.stderr
        after = registry.find("light")
        assert (len(after.hosts), after.hosts[1].pid) == (5, pid)
        # a host that died is made anew
        os.kill(pid, signal.SIGKILL)
        assert "DEAD: its first process was killed" in lab("ps", "light").stdout
        assert "made anew" in lab("up", "ring", "--name", "light").stdout
        assert lab("exec", "-l", "light", "PRG", "--", "hostname").stdout == "PRG\n"
        assert "cannot change" in lab("up", "ring", "--name", "light", "--daemons", "docker").stderr
        assert lab("ping-all", "light").returncode == 0
    finally:
        assert lab("down", "light").returncode == 0


def test_a_packed_run_is_measured_again_as_it_was(nothing_left: None, tmp_path: Path) -> None:
    small = [
        "--overlay",
        "underlay",
        "--bringups",
        "1",
        "--repetitions",
        "1",
        "--duration",
        "1",
        "--rate",
        "5",
    ]
    where = ["--daemons", "none", "--cells", "udp1470", "--seed", "7", "--results", str(tmp_path / "theirs")]
    first = lab("emulate", "throughput", *small, *where)
    assert first.returncode == 0, first.stderr
    (theirs,) = (tmp_path / "theirs").iterdir()
    link = json.loads((theirs / "read-back.json").read_text())["links"]["AMS-BRA"]
    assert (link["ab"]["rate"], link["ab"]["delay"]) == (5.0, 8.85)
    assert re.search(r"^numpy==\d", (theirs / "packages.txt").read_text(), re.MULTILINE)
    file = tmp_path / "theirs.pack.zip"
    assert lab("pack", str(theirs), "-o", str(file)).returncode == 0
    assert lab("verify", str(file)).returncode == 0
    again = lab("reproduce", str(file), "--results", str(tmp_path / "ours"))
    (ours,) = (tmp_path / "ours").iterdir()
    one, other = (json.loads((run / "manifest.json").read_text()) for run in (theirs, ours))
    for what in ("topology", "profile", "seed", "only", "rate", "shaper", "clock", "bring_ups"):
        assert other[what] == one[what], what
    # no claim can be told of one overlay in one bring-up
    assert again.returncode == 3, again.stdout + again.stderr
    row = re.search(r"^underlay/udp1470/\S+ +(\d\.\d\d).* +(\d\.\d\d)", again.stdout, re.MULTILINE)
    assert row, again.stdout
    assert all(4.0 < float(figure) < 5.0 for figure in row.groups()), row[0]


async def test_what_needs_docker_is_refused_in_one_sentence(nothing_left: None) -> None:
    with pytest.raises(TopologyError, match="has no CPU share without Docker"):
        await Emulation(linear.topology().with_cpus(0.5), daemons="none").up()
    async with Emulation(point_to_point.topology(), daemons="none") as made:
        with pytest.raises(LabError, match="whose hosts are no containers"):
            await made.add_docker("more")
        with pytest.raises(TopologyError, match="has no CPU share without Docker"):
            await made.become(made.compare(point_to_point.topology().with_cpus(0.5)))
        assert made.alive() == ["AMS", "BRA"]


async def test_a_hundred_light_hosts_come_up(nothing_left: None) -> None:
    start = time.monotonic()
    async with Emulation(grid.topology(rows=10, columns=10), daemons="none") as made:
        took = time.monotonic() - start
        assert len(made.alive()) == 100
        names = await asyncio.gather(*(said(host, "hostname") for host in made.hosts.values()))
        assert names == list(made.hosts)
    # with Docker daemons it takes a minute on two cores
    assert took < 60
