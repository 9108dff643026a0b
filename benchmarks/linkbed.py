"""What the benchmarks of links share: plain network namespaces as hosts, links between them, tools."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lab.emulation.links import icmp, netns
from lab.emulation.links.link import Wiring
from lab.emulation.links.shaper import Shaper
from lab.emulation.links.veth import Fabric
from lab.hosts.command import run
from lab.topology import LinkSpec

ROOT = str(Path(__file__).resolve().parents[1])
LAB = f"bench{os.getpid()}"
RTTS = (1.0, 5.0, 20.0, 50.0, 100.0, 21.75, 4.70, 41.58, 52.57, 40.63)  # the last five: the 2016 segments
RATES = (10.0, 100.0, 500.0, 1000.0)
PAYLOAD = 1448 / 1514  # of a full packet with Ethernet header, after IPv4 and TCP with timestamps
ROOM = "4096 131072 67108864"  # bytes of a socket's buffers: a fast flow over a long link needs many
HEAD = f"{'got':>9} {'error':>9} {'median':>9} {'others':>7}"
HOSTS = [f"{LAB}-{n}" for n in range(6)]


def spec(number: int, rtt: float, rate: float | None, loss: float = 0.0) -> LinkSpec:
    """Link `number` from host `number` to the next, the first host being 0."""
    return LinkSpec(
        name=f"L{number}",
        number=number + 1,
        a=HOSTS[number],
        b=HOSTS[number + 1],
        rtt=rtt,
        rate=rate,
        jitter=0.0,
        loss=loss,
        mtu=1500,
        subnet=f"192.168.{number}.0/24",
        address_a=f"192.168.{number}.1",
        address_b=f"192.168.{number}.2",
        interface_a="eth2",
        interface_b="eth1",
    )


@asynccontextmanager
async def links(kind: type[Shaper], *specs: LinkSpec) -> AsyncIterator[Shaper]:
    """Links between fresh namespaces, which go afterwards."""
    count = len(specs) + 1
    with tempfile.TemporaryDirectory() as folder:
        fabric = Fabric(LAB, kind(LAB, Path(folder)))
        try:
            for host in HOSTS[:count]:
                await run(["ip", "netns", "add", host])
                await run(["ip", "-n", host, "link", "set", "lo", "up"])
                for knob in ("tcp_rmem", "tcp_wmem"):
                    await inside(host, ["tee", f"/proc/sys/net/ipv4/{knob}"], stdin=ROOM.encode())
            await fabric.create()
            await fabric.add_links([Wiring(s, s.a, s.b) for s in specs])
            yield fabric.shaper
        finally:
            await fabric.destroy()
            for host in HOSTS[:count]:
                await run(["ip", "netns", "del", host], check=False)


async def inside(end: str, argv: Sequence[str], **more: Any) -> str:
    done = await run(netns.inside(end, argv), env={"PYTHONPATH": ROOT}, timeout=120, **more)
    return done.stdout


def busy(seconds: float = 0.3) -> float:
    """Share of the machine's processors that others use now."""

    def times() -> tuple[int, int]:
        words = [int(w) for w in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return sum(words), words[3] + words[4]

    (all0, idle0), _, (all1, idle1) = times(), time.sleep(seconds), times()
    return 1 - (idle1 - idle0) / max(1, all1 - all0)


async def ping(end: str, address: str, count: int = 100, spacing: float = 10.0) -> list[float]:
    argv = icmp.command(end, address, count, spacing)
    return [t for t in icmp.parse((await run(argv, env={"PYTHONPATH": ROOT})).stdout) if t is not None]


@asynccontextmanager
async def server(end: str, port: int = 5201) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *netns.inside(end, ["iperf3", "-s", "-1", "-p", str(port)]),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        while f":{port:04X} " not in Path(f"/proc/{process.pid}/net/tcp6").read_text():
            await asyncio.sleep(0.01)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def iperf(a: str, b: str, address: str, *words: str, port: int = 5201) -> dict[str, Any]:
    """One iperf3 test from a to b; its own report."""
    async with server(b, port):
        text = await inside(a, ["iperf3", "-c", address, "-J", "-p", str(port), *words])
    report: dict[str, Any] = json.loads(text)
    return report


def received(report: dict[str, Any]) -> float:
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e6


async def rounds(count: int, measure: Callable[[], Awaitable[float]], off: Callable[[float], float]) -> str:
    """Measure several times: the best by `off`, then the median and the busiest start."""
    got, noise = [], []
    for _ in range(count):
        noise.append(busy())
        got.append(await measure())
    best = min(got, key=off)
    return f"{best:9.3f} {off(best):+9.3f} {statistics.median(got):9.3f} {max(noise):7.0%}"


def used(before: Any, after: Any, seconds: float) -> float:
    return float(after.get("cpu_seconds", 0.0) - before.get("cpu_seconds", 0.0)) / seconds
