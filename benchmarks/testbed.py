"""The cost of real runs beside emulated ones: `check`, `prepare` with nothing to do, a command over SSH.

    sudo .venv/bin/python benchmarks/testbed.py [--hosts 6,24] [--rounds 5] [--commands 40]

Measured on stand-ins (see `lab testbed rehearse`), so that hosts, network and this program share one
machine's CPUs. Aimed at: `prepare` of six hosts that are ready takes less than 3 s. Commands go to
one endpoint in three ways in turn: over SSH, by `docker exec` into its host, and by entering the
host's namespaces; what is printed are the medians and their ratios in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import monotonic
from typing import Any

# overlays.py beside this file has the name of a package, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import images
from lab.app import ssh_vms
from lab.app.rehearsal import ControlNetwork, write_inventory
from lab.emulation.docker.daemon import Daemon, client
from lab.emulation.emulation import Emulation
from lab.emulation.links import netns
from lab.errors import LabError
from lab.events import silent
from lab.hosts.container import ContainerHost
from lab.hosts.host import Host
from lab.hosts.ssh import SshHost
from lab.hosts.ssh_connection import SshConnection, SshSettings
from lab.images.derived import REHEARSAL, ensure_rehearsal
from lab.topology import Topology
from lab.util.signals import cancel_on_signal
from topologies import linear

#: setns(2): os.setns is in Python from 3.12 on.
_libc, CLONE_NEWNET = ctypes.CDLL(None, use_errno=True), 0x40000000
SITES = ["AMS", "PRG", "BRA", "LJU", "MIL"]


def chain(hosts: int) -> Topology:
    return linear.topology(sites=[SITES[n % len(SITES)] for n in range(hosts)])


def timed(network: ControlNetwork, words: list[str]) -> float:
    """Seconds that a command of `lab testbed` takes, its start included."""
    argv, start = network.argv(words), monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"testbed: {' '.join(words)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return monotonic() - start


async def verbs(hosts: int, rounds: int, commands: int) -> float:
    """Measure on a chain of this many stand-ins; returns the median of `check` (s)."""
    async with Emulation(chain(hosts), image=REHEARSAL) as lab:
        access = await ssh_vms.open_to_ssh(lab)
        network = ControlNetwork(access, lab.lab_id, write_inventory(access, chain(hosts)))
        checks = [
            await asyncio.to_thread(timed, network, ["check", "--overlay", "underlay"]) for _ in range(rounds)
        ]
        first = await asyncio.to_thread(timed, network, ["prepare"])
        again = [await asyncio.to_thread(timed, network, ["prepare"]) for _ in range(rounds)]
        print(f"{hosts} hosts: check {_spread(checks)}; prepare {first:.2f} s", end="")
        print(f", with nothing to do {_spread(again)}")
        if commands:
            await asyncio.to_thread(_in_namespace, access.namespace, lambda: overhead(lab, access, commands))
        return statistics.median(checks)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f}–{max(values):.2f})"


def _in_namespace(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in a thread of its own inside a network namespace."""
    failed: list[BaseException] = []

    def go() -> None:
        try:
            with open(netns.path(name)) as namespace:
                if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns", name)
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


async def overhead(lab: Emulation, access: ssh_vms.VmAccess, commands: int) -> None:
    """A command that does nothing, over the three ways in turn (ms), and over SSH as root without sudo."""
    name, entered = next(iter(lab.hosts.items()))
    keys = (str(access.key),)
    ways: dict[str, Host] = {"namespace entry": entered}
    ways["docker exec"] = ContainerHost(name, name, (), entered.container)
    lines = []
    for user, label in ((access.user, "SSH with sudo"), ("root", "SSH as root")):
        lines.append(
            SshConnection(
                SshSettings(name, access.addresses[name], None, user, keys, known_hosts=access.known_hosts)
            )
        )
        await lines[-1].connect()
        ways[label] = SshHost(name, name, (), lines[-1], sudo=user != "root")
    took: dict[str, list[float]] = {label: [] for label in ways}
    for _ in range(commands):
        for label, host in ways.items():
            start = monotonic()
            await host.run(["true"])
            took[label].append((monotonic() - start) * 1000)
    base = statistics.median(took["docker exec"])
    for label, values in took.items():
        middle = statistics.median(values)
        print(f"  a command by {label:16} {middle:6.1f} ms, {middle / base:.2f} of docker exec")
    for line in lines:
        await line.close()


async def measure(asked: argparse.Namespace) -> None:
    daemon = Daemon()
    await asyncio.to_thread(daemon.ensure)
    try:
        await asyncio.to_thread(images.ensure, client(), silent)
        await asyncio.to_thread(ensure_rehearsal, client(), silent)
        sizes = [int(n) for n in asked.hosts.split(",")]
        found = [await verbs(n, asked.rounds, asked.commands if n == sizes[0] else 0) for n in sizes]
        if len(sizes) > 1:
            more = (found[-1] - found[0]) / (sizes[-1] - sizes[0])
            print(f"from {sizes[0]} to {sizes[-1]} hosts, check takes {more:.2f} s more per host")
    finally:
        await asyncio.to_thread(daemon.release)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", default="6,24")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=40)
    try:
        asyncio.run(cancel_on_signal(measure(parser.parse_args())))
    except asyncio.CancelledError:
        raise SystemExit("testbed: interrupted; everything was taken away") from None
    except LabError as error:
        raise SystemExit(f"testbed: {error}") from None


if __name__ == "__main__":
    main()
