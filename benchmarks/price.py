"""The price of a daemon's call (µs), for ``--cost``: its CPU in real time by its calls in virtual time.

    sudo .venv/bin/python benchmarks/price.py [tinc tincd] [--rate 20] [--seconds 10]

The same UDP traffic goes over one link of two light hosts by both clocks. In real time the kernel says how
much CPU the daemon's processes used; in virtual time the additions count the calls that a price is for. The
price is the one by the other, so it is that of this machine's CPU, also for its part of the kernel's work.
Nothing else may run beside it. On a slower CPU the same call costs more, by the ratio of the two.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Lab
from lab.virtual import first
from topologies import point_to_point

#: Calls are counted of programs that have a price: the least that there is (µs).
COUNTED = 0.001
#: Payload of a datagram, bytes: fits into every overlay's MTU.
DATAGRAM = 1200


def cpu_seconds(program: str) -> float:
    """Return the CPU that all processes of a program have used, in user and kernel mode (s)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)", stat.read_text().strip(), re.DOTALL).groups()
        except OSError:
            continue  # it has ended
        if name.startswith(program):
            ticks += sum(int(field) for field in rest.split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def calls(_: str) -> float:
    """Return the calls with a price since this box began."""
    return float(Path(first.PARAMETERS, "charged").read_text())


def used(asked: argparse.Namespace) -> float:
    """Return what the daemon used during the traffic: seconds of CPU, or calls in virtual time."""
    virtual = asked.clock == "virtual"
    costs, meter = ({asked.program: COUNTED}, calls) if virtual else ({}, cpu_seconds)
    network = point_to_point.topology(rate=10 * asked.rate)
    with Lab(network, asked.overlay, daemons="none", clock=asked.clock, costs=costs) as lab:
        client, server = lab.endpoints().values()
        server.start(["iperf3", "-s", "-1"])
        before = meter(asked.program)
        argv = ["iperf3", "-u", "-b", f"{asked.rate}M", "-l", str(DATAGRAM), "-t", str(asked.seconds)]
        client.run([*argv, "-c", server.address], timeout=asked.seconds + 60)
        return meter(asked.program) - before


def by(clock: str) -> float:
    """Return what this script prints when it measures by a clock."""
    argv = [sys.executable, __file__, *sys.argv[1:], "--clock", clock]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[-1])


def main() -> None:
    """Measure by both clocks, and print the price."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overlay", nargs="?", default="tinc")
    parser.add_argument("program", nargs="?", default="tincd", help="its daemon, as the kernel names it")
    parser.add_argument("--rate", type=int, default=20, help="of the traffic, Mbit/s")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=3, help="in real time")
    parser.add_argument("--clock", choices=("real", "virtual"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.clock:
        print(used(asked))
        return
    seconds, counted = [by("real") for _ in range(asked.repetitions)], by("virtual")
    prices = sorted(1e6 * one / counted for one in seconds)
    print(f"{asked.program}: {median(seconds):.2f} s of CPU, {counted:.0f} calls")
    print(f"--cost {asked.program}={median(prices):.2f}  ({prices[0]:.2f} to {prices[-1]:.2f} µs)")


if __name__ == "__main__":
    main()
