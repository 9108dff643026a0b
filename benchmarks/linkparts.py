"""Parts of `benchmarks.links`: loss, jitter, the inside of VXLAN, and plain Mininet's links beside."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.linkbed import (
    HOSTS,
    PAYLOAD,
    RATES,
    RTTS,
    busy,
    inside,
    iperf,
    links,
    ping,
    received,
    spec,
    used,
)
from lab.emulation.links import netem_tables, netns
from lab.emulation.links.netem import Netem
from lab.emulation.links.shaper import Shaper
from lab.hosts.command import run
from lab.topology.impairments import DISTRIBUTIONS

PACKETS = 100_000
LISTEN = """
import socket, struct, json
s = socket.socket(2, 2); s.setsockopt(1, 33, 1 << 28); s.setsockopt(1, 35, 1); s.bind(('', 9002))
s.settimeout(30); print('up', flush=True); got = []
try:
    while True:
        d, e, _, _ = s.recvmsg(64, 64)
        a, b = struct.unpack('=qq', e[0][2][:16]); n, t = struct.unpack('=qq', d)
        s.settimeout(3); got.append((n, (a * 10**9 + b - t) / 1e6))
except TimeoutError:
    print(json.dumps(got))
"""
SEND = """
import socket, struct, sys, time
s = socket.socket(2, 2); count, spacing = int(sys.argv[1]), float(sys.argv[2]); t = time.monotonic()
for n in range(count):
    while time.monotonic() < t + n * spacing:
        pass
    s.sendto(struct.pack('=qq', n, time.time_ns()), (sys.argv[3], 9002))
"""


async def train(count: int, spacing: float, address: str = "192.168.0.2") -> list[tuple[int, float]]:
    """Datagrams from the first host to the second: number and one-way time (ms) of each that came."""
    receiver = await asyncio.create_subprocess_exec(
        *netns.inside(HOSTS[1], [sys.executable, "-c", LISTEN]), stdout=subprocess.PIPE, limit=1 << 28
    )
    assert receiver.stdout is not None
    await receiver.stdout.readline()
    await inside(HOSTS[0], [sys.executable, "-c", SEND, str(count), str(spacing), address])
    text, _ = await receiver.communicate()
    return [(number, ms) for number, ms in json.loads(text)]


async def loss(kind: type[Shaper], asked: argparse.Namespace) -> None:
    """Of 100,000 packets, one way; in bursts the interval is wider by the bursts' length."""
    from scipy.stats import binom

    print(f"\nloss asked, %   got   interval of 99 % for {PACKETS} packets   lost in a row")
    for want, burst in ((0.1, None), (1.0, None), (10.0, None), (1.0, 5.0), (10.0, 5.0)):
        async with links(kind, spec(0, 5.0, None)) as shaper:
            await shaper.change("L0", directions=["ab"], loss=want, burst=burst)
            there = {number for number, _ in await train(PACKETS, 40e-6)}
        gone = [number not in there for number in range(PACKETS)]
        runs = [len(list(run_)) for lost, run_ in itertools.groupby(gone) if lost]
        part = round(PACKETS / (2 * (burst or 1) - 1))  # bursts make a loss count as fewer chances
        low, high = binom.interval(0.99, part, want / 100)
        got, low, high = 100 * sum(gone) / PACKETS, 100 * low / part, 100 * high / part
        where = "inside" if low <= got <= high else "OUTSIDE"
        how = f"bursts of {burst:g}" if burst else "each alone"
        mean = statistics.mean(runs or [0])
        print(f"{want:8g} {how:>14} {got:9.4f}   {low:.4f} to {high:.4f} {where}   {mean:.2f}")


async def jitter(kind: type[Shaper], asked: argparse.Namespace) -> None:
    """One-way times by quantiles, of packets that are further apart than the jitter."""
    shares = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    print("\njitter of 1 ms on 20 ms, one way: quantiles asked and got, ms; packets out of order")
    print(f"{'':>10} " + " ".join(f"{share:>14g}" for share in shares))
    for name in DISTRIBUTIONS:
        async with links(kind, spec(0, 40.0, None)) as shaper:
            await shaper.change("L0", directions=["ab"], jitter=1.0, distribution=name)
            got = await train(1500, 5e-3)
            close = [number for number, _ in await train(5000, 100e-6)]
        times = sorted(ms for _, ms in got)
        pairs = (
            f"{20 + netem_tables.quantile(name, share):6.2f} {times[int(share * len(times))]:7.2f}"
            for share in shares
        )
        behind = sum(b < a for a, b in itertools.pairwise(close))
        print(f"{name:>10} {' '.join(pairs)}   sd {statistics.stdev(times):.3f}, {behind} of 5000")


async def vxlan(kind: type[Shaper], asked: argparse.Namespace) -> None:
    """TCP inside a tunnel whose outer packets cross the link."""
    print("\none link of 30 ms without a rate, TCP inside VXLAN")
    for control in asked.control.split(","):
        async with links(kind, spec(0, 30.0, None)) as shaper:
            await _tunnel()
            for _ in range(asked.rounds):
                noise, before, start = busy(), await shaper.cost(), time.monotonic()
                words = ["-t", str(asked.seconds), "-O", "2", "-C", control]
                got = received(await iperf(HOSTS[0], HOSTS[1], "10.99.0.2", *words))
                share = used(before, await shaper.cost(), time.monotonic() - start)
                per = f"{1000 * share / got:.3f} core per Gbit/s"
                print(f"{control:>8} {got:9.0f} Mbit/s, {share:.0%} of a core, {per}, others {noise:.0%}")


async def _tunnel() -> None:
    for own, other in ((1, 2), (2, 1)):
        end = HOSTS[own - 1]
        outer = f"local 192.168.0.{own} remote 192.168.0.{other} dstport 4789"
        lines = [
            f"link add vx type vxlan id 7 {outer}",
            f"addr add 10.99.0.{own}/24 dev vx",
            "link set vx up",
        ]
        await netns.batch("ip", end, lines, run)


async def tclink(asked: argparse.Namespace) -> None:
    """Mininet's own commands for a link, on the senders' interfaces, where Mininet puts them."""
    print("\n== plain Mininet TCLink")
    if reason := await Netem.probe():
        print(f"cannot be had here: {reason}; Mininet itself would say so and go on without any delay")
        return
    print(f"{'RTT asked, ms':>16} {'got':>9} {'error':>9} {'sd':>7}")
    for want in RTTS:
        async with _plain(delay=f"{want / 2}ms"):
            times = await ping(HOSTS[0], "192.168.0.2")
        middle = statistics.median(times)
        print(f"{want:16.2f} {middle:9.3f} {middle - want:+9.3f} {statistics.stdev(times):7.3f}")
    print(f"{'TCP at 40 ms':>16} {'got':>9} {'short by':>9}")
    for control, rate in itertools.product(asked.control.split(","), RATES):
        async with _plain(bw=rate, delay="20ms"):
            words = ["-t", str(asked.seconds), "-O", "2", "-C", control]
            got = received(await iperf(HOSTS[0], HOSTS[1], "192.168.0.2", *words))
        print(f"{control:>8} {rate:7.0f} {got:9.3f} {1 - got / (rate * PAYLOAD):+9.3f}")


@asynccontextmanager
async def _plain(bw: float | None = None, delay: str | None = None) -> AsyncIterator[None]:
    """Two namespaces joined by one veth, with what TCLink(bw, delay) sets on both of its ends."""
    try:
        for host in HOSTS[:2]:
            await run(["ip", "netns", "add", host])
            await run(["ip", "-n", host, "link", "set", "lo", "up"])
        await run(
            ["ip", "-n", HOSTS[0], "link", "add", "eth2", "type", "veth", "peer", "eth1", "netns", HOSTS[1]]
        )
        for host, name, own in ((HOSTS[0], "eth2", 1), (HOSTS[1], "eth1", 2)):
            lines = [f"addr add 192.168.0.{own}/24 dev {name}", f"link set {name} up"]
            await netns.batch("ip", host, lines, run)
            for words in _mininet(name, bw, delay):
                await inside(host, words.split())
        yield
    finally:
        for host in HOSTS[:2]:
            await run(["ip", "netns", "del", host], check=False)


def _mininet(name: str, bw: float | None, delay: str | None) -> list[str]:
    """The commands that Mininet's TCIntf makes of these parameters."""
    from mininet.link import TCIntf

    interface: Any = object.__new__(TCIntf)
    rate, parent = interface.bwCmds(bw=bw)
    wait, _ = TCIntf.delayCmds(parent, delay=delay)
    return [command % ("tc", name) for command in [*rate, *wait]]
