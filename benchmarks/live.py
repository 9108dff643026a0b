"""Labs to work in: how long `up`, a host more, `exec`, `ps` and `down` take, by the verbs themselves.

    sudo .venv/bin/python benchmarks/live.py
    sudo .venv/bin/python benchmarks/live.py --grid 10 --hosts ''

Every figure is of processes as a user starts them. With ``--containernet PYTHON``, an interpreter that has
Containernet, its six bare hosts come up in the same run; the ratio is printed. ``--grid N`` brings N × N
hosts up in this process, tells where the time goes, measures every link, and says what stops more hosts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

# overlays.py beside this file has the name of a package, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.emulation.docker.daemon import Daemon
from lab.emulation.emulation import Emulation
from lab.emulation.links.icmp import SweepTarget, sweep
from lab.errors import LabError
from lab.events import Event, StepDone
from lab.util.signals import cancel_on_signal
from topologies import grid

ROOT = Path(__file__).resolve().parents[1]
SITES = ["AMS", "PRG", "BRA", "LJU", "MIL"]
NAME = f"bench-{os.getpid()}"
#: How far a link's round trip may be off: ms, and as a share of what was asked.
LEAST, SHARE = 0.5, 0.02
BARE = """
import time
from mininet.net import Containernet, Mininet
from mininet.link import TCLink
from mininet.log import setLogLevel
setLogLevel("error")
Mininet.inited = True  # it would set limits of the whole machine
start = time.monotonic()
net = Containernet(controller=None)
hosts = [net.addDocker(f"d{n}", dimage="IMAGE", network_mode="none") for n in range(6)]
for a, b in zip(hosts, hosts[1:]):
    net.addLink(a, b, cls=TCLink, delay="10ms", bw=100)
net.start()
print("took", time.monotonic() - start)
net.stop()
"""


def verb(*argv: str, check: bool = True) -> tuple[float, str]:
    """Run a verb in a process of its own; returns how long it took (s) and what it printed."""
    start = monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "lab", *argv], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise LabError(f"lab {argv[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return monotonic() - start, done.stdout


def chain(hosts: int) -> str:
    return "linear:sites=" + "+".join(SITES[n % len(SITES)] for n in range(hosts))


def available() -> float:
    """Memory that is free to use, MiB."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 1024


def say(what: str, seconds: Sequence[float], unit: str = "s") -> None:
    """One row: median, least and greatest."""
    print(
        f"{what:44}{statistics.median(seconds):9.3f}{min(seconds):9.3f}{max(seconds):9.3f} {unit}", flush=True
    )


def verbs(hosts: int, rounds: int) -> None:
    """All verbs on a chain of this many hosts."""
    print(f"\n{hosts} hosts ({rounds} rounds){'':24}{'median':>9}{'min':>9}{'max':>9}")
    ups, more, downs, seen, entered = [], [], [], [], []
    for _ in range(rounds):
        ups.append(verb("up", chain(hosts), "--name", NAME)[0])
        try:
            entered += [verb("exec", "AMS", "--lab", NAME, "--", "true")[0] for _ in range(100 // rounds)]
            seen += [verb("ps", NAME, "--json")[0] for _ in range(5)]
            more.append(verb("up", chain(hosts + 1), "--name", NAME)[0])
        finally:
            downs.append(verb("down", NAME, check=False)[0])
    say("up", ups)
    say("up again with one host more", more)
    say("exec true: round trip (p50)", entered)
    print(f"{'exec true: round trip (p99)':44}{statistics.quantiles(entered, n=100)[98]:9.3f}")
    say("ps --json", seen)
    say("down", downs)


def containernet(python: str, image: str) -> float | None:
    """Seconds until Containernet's six bare hosts are up; None where it cannot be had."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(BARE.replace("IMAGE", image))
        script.flush()
        done = subprocess.run([python, script.name], capture_output=True, text=True, check=False, timeout=300)
    took = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("took")]
    if not took:
        print(f"containernet: did not run: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
        return None
    return float(took[0])


def against(python: str, image: str, rounds: int) -> None:
    """Six hosts with daemons and Containernet's six bare ones, in turn, so that both see the same machine."""
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(verb("up", chain(6), "--name", NAME)[0])
        verb("down", NAME, check=False)
        if (took := containernet(python, image)) is None:
            return
        bare.append(took)
    print(f"\nsix hosts, in turn ({rounds} rounds){'':20}{'median':>9}{'min':>9}{'max':>9}")
    say("up, each with its Docker daemon", ours)
    say("containernet, bare, its own time only", bare)
    print(f"{'ratio of the medians':44}{statistics.median(ours) / statistics.median(bare):9.2f}")


async def big(side: int) -> None:
    """A grid of side × side hosts, each with its Docker daemon: time by step, memory, every link measured."""
    topology = grid.topology(rows=side, columns=side)
    took: dict[str, float] = {}

    def keep(event: Event) -> None:
        if isinstance(event, StepDone):
            took[event.step] = event.seconds
            print(f"  {event.step:42}{event.seconds:9.2f} s {event.detail}", flush=True)

    print(f"\ngrid of {side} × {side}: {len(topology.hosts)} hosts, {len(topology.links)} links")
    before, start = Used.now(), monotonic()
    lab = Emulation(topology, emit=keep)
    try:
        await lab.up()
        up = monotonic() - start
        await measured(lab)
        whole = monotonic() - start
        used = -available() - before.memory
        print(f"  {'up':42}{up:9.2f} s")
        print(f"  {'up, and every neighbour answering':42}{whole:9.2f} s")
        print(f"  {'memory':42}{used:9.0f} MiB, {used / len(topology.hosts):.1f} per host")
        limits(before, len(topology.hosts), len(topology.links), whole)
    finally:
        start = monotonic()
        await lab.down()
        print(f"  {'down':42}{monotonic() - start:9.2f} s")


async def measured(lab: Emulation, tries: int = 5) -> None:
    """Return when every link has the round trip that was asked.

    Raises:
        LabError: names the links that do not.
    """
    links = {link.name: link for link in lab.links}
    left = dict(links)
    for _ in range(tries):
        ends = {
            name: SweepTarget(f"/proc/{lab.pids[link.a]}/ns/net", link.address_b)
            for name, link in left.items()
        }
        found = await asyncio.to_thread(sweep, ends, 2.0)
        good = {n for n, rtt in found.items() if abs(rtt - links[n].rtt) <= max(LEAST, SHARE * links[n].rtt)}
        left = {name: link for name, link in left.items() if name not in good}
        print(f"  {'links at their asked round trip':42}{len(links) - len(left):9d} of {len(links)}")
        if not left:
            return
    raise LabError(f"links are not what was asked: {', '.join(left)}")


@dataclass(frozen=True)
class Used:
    """The machine's use: memory (MiB), threads, processes, watchers of files."""

    memory: float
    threads: int
    processes: int
    watchers: int

    @classmethod
    def now(cls) -> Used:
        threads = processes = watchers = 0
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError):
                    threads += len(list((folder / "task").iterdir()))
                    processes += 1
                    watchers += sum("inotify" in str(fd.readlink()) for fd in (folder / "fd").iterdir())
        return cls(-available(), threads, processes, watchers)


def limits(before: Used, hosts: int, links: int, seconds: float) -> None:
    """The limits of this machine for each thing that a lab takes: the least of them stops it."""
    now, sysctl = Used.now(), Path("/proc/sys")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = {
        "memory (MiB)": (now.memory - before.memory, available() + now.memory - before.memory),
        "threads": (now.threads - before.threads, _number(sysctl / "kernel/threads-max")),
        "process numbers": (now.threads - before.threads, _number(sysctl / "kernel/pid_max")),
        "inotify instances of root": (
            now.watchers - before.watchers,
            _number(sysctl / "fs/inotify/max_user_instances") - before.watchers,
        ),
        "open files of the wire": (2 * links, files),
        "ports of one bridge's namespace (queues)": (2 * links, 65_535),
        "90 s until neighbours answer": (seconds, 90),
    }
    print("  what would stop more hosts, as if each took the same:")
    taken = {what: (used, most) for what, (used, most) in room.items() if used > 0}
    for what, (used, most) in sorted(taken.items(), key=lambda one: one[1][1] / one[1][0]):
        print(f"    {what:40}{used:9.0f} of {most:9.0f}: {most / used * hosts:9.0f} hosts")


def _number(path: Path) -> int:
    return int(path.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", default="6,12,24", help="numbers of hosts, or '' for none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grid", type=int, default=0, help="also a grid of so many hosts each way")
    parser.add_argument("--containernet", default="", help="a Python interpreter that has Containernet")
    parser.add_argument("--image", default="lab/gtsperf", help="for Containernet's hosts")
    asked = parser.parse_args()
    daemon = Daemon()
    try:
        daemon.ensure()
        for hosts in map(int, filter(None, asked.hosts.split(","))):
            verbs(hosts, asked.rounds)
        if asked.containernet:
            against(asked.containernet, asked.image, asked.rounds)
        else:
            print("\ncontainernet: no package registry has it; give --containernet PYTHON where it is")
        if asked.grid:
            asyncio.run(cancel_on_signal(big(asked.grid)))
    except asyncio.CancelledError:
        raise SystemExit("live: interrupted; everything was taken away") from None
    except LabError as error:
        raise SystemExit(f"live: {error}") from None
    finally:
        daemon.release()


if __name__ == "__main__":
    main()
