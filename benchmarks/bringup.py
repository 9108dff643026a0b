"""Time that a lab takes to come up and to go, beside the naive way, measured in one run.

    sudo .venv/bin/python benchmarks/bringup.py [--rounds 5] [--hosts 6] [--overlay weave ...]
        [--scale 2,6,12,24] [--light 6,24,100]

Naive: start the hosts, then `docker load` the endpoint's image into each host's own Docker.
The lab: every host's Docker starts from one shared image store. "Endpoints running" is one
container on every host; "all pairs" is a packet between every two endpoints of an overlay, from
hosts that are up and, with their bring-up added, from nothing. Light hosts have no Docker daemon; at the
end stands what one of them costs beside one that has.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from time import monotonic

# overlays.py beside this file has the name of a package, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.emulation import cleanup
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.daemon import Daemon
from lab.emulation.docker.image_store import endpoint_store
from lab.emulation.emulation import Emulation
from lab.emulation.ownership import LabState
from lab.errors import LabError
from lab.events import Event, StepDone
from lab.hosts import command
from lab.hosts.container import ContainerHost
from lab.hosts.host import Host
from lab.measure import cgroups
from lab.measure.cpu_saturation import busy_share
from lab.measure.machine import read_ticks
from lab.measure.reachability import every_pair
from lab.topology import Topology
from lab.util.concurrency import together
from lab.util.signals import cancel_on_signal
from overlays.common import endpoints
from overlays.registry import parse
from topologies import linear

IMAGE = "lab/gtsperf"
SITES = ["AMS", "PRG", "BRA", "LJU", "MIL"]
OVERLAYS = ["weave", "libnetwork:mode=swarm", "libnetwork:mode=kv"]


def chain(hosts: int) -> Topology:
    """A chain of this many hosts."""
    return linear.topology(sites=[SITES[n % len(SITES)] for n in range(hosts)])


async def naive(hosts: int, archive: Path) -> dict[str, float]:
    """Seconds until an endpoint runs on every host, the image loaded into each host's Docker."""
    state, start = LabState.create(), monotonic()
    plans = [bare(plan) for plan in host_spec.plans(state, chain(hosts), endpoint_store())]
    try:
        for plan in plans:
            state.record("container", plan.container.name)
            plan.socket.parent.mkdir(parents=True)
        await containers.start([plan.container for plan in plans], command.run)
        machines = [ContainerHost(p.name, p.site, (), p.container.name) for p in plans]
        await together(
            containers.docker_answers(p.socket, p.name, p.container.name, command.run) for p in plans
        )
        image = archive.read_bytes()
        await together(m.run(["docker", "load"], stdin=image, timeout=300) for m in machines)
        await together(m.run(endpoint_argv()) for m in machines)
        took = monotonic() - start
    finally:
        await cleanup.remove(state)
    return {"naive: endpoints running": took}


def bare(plan: host_spec.Plan) -> host_spec.Plan:
    """The same host without the shared image store."""
    binds = {outside: inside for outside, inside in plan.container.binds.items() if "lab-seed" not in inside}
    return replace(plan, container=replace(plan.container, binds=binds))


def endpoint_argv() -> list[str]:
    return ["docker", "run", "-d", "--name", "endpoint", "--network", "none", IMAGE]


async def run_endpoint(host: Host) -> None:
    """Start an endpoint as every overlay does."""
    await endpoints.attach("bringup", host, IMAGE, "endpoint", "none", address="none")


async def lab(hosts: int, overlays: list[str]) -> dict[str, float]:
    """Seconds by phase of the lab's own way, MiB per host, and teardown."""
    took: dict[str, float] = {}

    def keep(event: Event) -> None:
        if isinstance(event, StepDone):
            took[f"lab: {event.step}"] = event.seconds

    start, before = monotonic(), read_ticks()
    built = Emulation(chain(hosts), emit=keep)
    await built.up()
    try:
        up = monotonic() - start
        await together(run_endpoint(host) for host in built.hosts.values())
        took["lab: endpoints running"] = monotonic() - start
        took["lab: share of the processors used until then"] = busy_share(before, read_ticks())
        took["lab: MiB per host"] = statistics.mean(memory_of(built, host) for host in built.hosts)
        await together(endpoints.remove_all("bringup", host) for host in built.hosts.values())
        for name in overlays:
            took |= await overlay(built, name, up)
    finally:
        start = monotonic()
        await built.down()
        took["lab: teardown"] = monotonic() - start
    return took


async def light(hosts: int) -> dict[str, float]:
    """Seconds by phase of a lab of light hosts, MiB of this machine's memory per host, and teardown."""
    took: dict[str, float] = {}

    def keep(event: Event) -> None:
        if isinstance(event, StepDone):
            took[f"light: {event.step}"] = event.seconds

    start, free = monotonic(), available()
    built = Emulation(chain(hosts), emit=keep, daemons="none")
    await built.up()
    took["light: up"] = monotonic() - start
    took["light: MiB per host"] = (free - available()) / hosts
    start = monotonic()
    await built.down()
    took["light: teardown"] = monotonic() - start
    return took


def available() -> float:
    """Memory that this machine could still give (MiB)."""
    line = next(
        one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("MemAvailable")
    )
    return int(line.split()[1]) / 1024


async def overlay(built: Emulation, name: str, before: float) -> dict[str, float]:
    """Seconds until all pairs of endpoints on an overlay reach each other."""
    made, start = parse(name), monotonic()
    if missing := made.obtainable():
        print(f"{name}: not obtainable here: {missing.what}; {missing.remedy}")
        return {}
    assert built.topology is not None
    try:
        await made.install(tuple(built.hosts.values()), built.topology)
        await made.ready(60)
        ends = await together(made.attach(host) for host in built.hosts.values())
        attached = dict(zip(built.hosts, ends, strict=True))
        await every_pair(attached, combinations(attached, 2), refresh=made.refresh)
        took = monotonic() - start
    finally:
        await made.uninstall()
    return {f"{name}: all pairs, from hosts up": took, f"{name}: all pairs, from nothing": took + before}


def memory_of(built: Emulation, host: str) -> float:
    """Memory that a host uses, MiB: its own daemons and all that runs on it, its endpoint too."""
    membership = Path(f"/proc/{built.pids[host]}/cgroup").read_text()
    return (cgroups.memory(membership, built.container_ids[host]) or 0) / 2**20


def table(title: str, rounds: list[dict[str, float]]) -> dict[str, float]:
    """Print the median and the range of every figure, and return the medians."""
    print(f"\n{title}\n{'':44}{'median':>9}{'min':>9}{'max':>9}")
    medians = {}
    for key in {k: None for r in rounds for k in r}:
        values = [r[key] for r in rounds if key in r]
        medians[key] = statistics.median(values)
        print(f"{key:44}{medians[key]:9.2f}{min(values):9.2f}{max(values):9.2f}")
    return medians


async def compare(hosts: int, rounds: int, overlays: list[str]) -> None:
    """The lab's way and the naive one in turn, so that both see the same machine."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "image.tar")
        await command.run(["docker", "save", "-o", str(archive), IMAGE], timeout=120)
        for number in range(rounds):
            rows.append({**await naive(hosts, archive), **await lab(hosts, overlays)})
            print(f"round {number + 1} of {rounds} is done", flush=True)
    medians = table(f"{hosts} hosts (s, {rounds} rounds)", rows)
    ratio = medians["lab: endpoints running"] / medians["naive: endpoints running"]
    print(f"endpoints running: {ratio:.2f} of the naive way's time")


async def scale(
    sizes: list[int], rounds: int, make: Callable[[int], Awaitable[dict[str, float]]], time: str, memory: str
) -> float:
    """Labs of several sizes, and what every host more costs from one to the next; returns the last (s)."""
    known: list[tuple[int, dict[str, float]]] = []
    seconds = 0.0
    for hosts in sizes:
        rows = [await make(hosts) for _ in range(rounds)]
        known.append((hosts, table(f"{hosts} hosts (s, {rounds} rounds)", rows)))
    for (fewer, less), (hosts, more) in pairwise(known):
        seconds = (more[time] - less[time]) / (hosts - fewer)
        mib = (more[memory] * hosts - less[memory] * fewer) / (hosts - fewer)
        print(f"from {fewer} to {hosts} hosts, each host more: {seconds:.3f} s, {mib:.1f} MiB")
    return seconds


async def compare_kinds(asked: argparse.Namespace) -> None:
    """Labs of hosts with Docker daemons and of light hosts, and what one more of each kind costs."""
    rounds = min(asked.rounds, 3)
    with_docker = await scale(
        sizes(asked.scale), rounds, lambda n: lab(n, []), "lab: endpoints running", "lab: MiB per host"
    )
    alone = await scale(sizes(asked.light), rounds, light, "light: up", "light: MiB per host")
    if with_docker and alone:
        print(f"one light host more: {alone / with_docker:.3f} of the time of one with a Docker daemon")


def sizes(text: str) -> list[int]:
    return [int(n) for n in text.split(",") if n]


async def measure(asked: argparse.Namespace) -> None:
    """All of it, with the machine's Docker daemon kept for as long."""
    daemon = Daemon()
    await asyncio.to_thread(daemon.ensure)
    try:
        if asked.hosts:
            await compare(asked.hosts, asked.rounds, asked.overlay or OVERLAYS)
        await compare_kinds(asked)
    finally:
        await asyncio.to_thread(daemon.release)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=6, help="0 for no comparison with the naive way")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--overlay", action="append", help=f"default: {', '.join(OVERLAYS)}")
    parser.add_argument("--scale", default="2,6,12,24", help="numbers of hosts, or '' for none")
    parser.add_argument("--light", default="6,24,100", help="numbers of light hosts, or '' for none")
    try:
        asyncio.run(cancel_on_signal(measure(parser.parse_args())))
    except asyncio.CancelledError:
        raise SystemExit("bringup: interrupted; everything was taken away") from None
    except LabError as error:
        raise SystemExit(f"bringup: {error}") from None


if __name__ == "__main__":
    main()
