"""What links really do: asked, got, error, on each shaper of this kernel. Needs root and iperf3.

    python -m benchmarks.links [--shaper netem|wire|all] [--rounds 3] [--seconds 3] [--only rtt,tcp,...]

Plain network namespaces are the hosts, so that nothing but the links is measured. Every row
is measured `rounds` times. Work that others do on the machine can only make a reading worse,
so the best round is the row's figure; the median of all and how busy the machine was before
each (share of its processors) stand beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.emulation import echo, namespaces
from lab.emulation.fabric import Fabric
from lab.emulation.shape import Wiring
from lab.emulation.shaper import Shaper, kinds
from lab.errors import LabError
from lab.hosts.process import run
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
    done = await run(namespaces.inside(end, argv), env={"PYTHONPATH": ROOT}, timeout=120, **more)
    return done.stdout


def busy(seconds: float = 0.3) -> float:
    """Share of the machine's processors that others use now."""

    def times() -> tuple[int, int]:
        words = [int(w) for w in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return sum(words), words[3] + words[4]

    (all0, idle0), _, (all1, idle1) = times(), time.sleep(seconds), times()
    return 1 - (idle1 - idle0) / max(1, all1 - all0)


async def ping(end: str, address: str, count: int = 100, spacing: float = 10.0) -> list[float]:
    argv = echo.command(end, address, count, spacing)
    return [t for t in echo.parse((await run(argv, env={"PYTHONPATH": ROOT})).stdout) if t is not None]


@asynccontextmanager
async def server(end: str, port: int = 5201) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *namespaces.inside(end, ["iperf3", "-s", "-1", "-p", str(port)]),
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


async def rtt(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print(f"\n{'RTT asked, ms':>16} {HEAD} {'sd':>7} {'p99':>8}  within")
    for want in RTTS:
        async with links(kind, spec(0, want, None)):
            times: list[list[float]] = []

            async def median() -> float:
                times.append(await ping(HOSTS[0], "192.168.0.2"))  # noqa: B023
                return statistics.median(times[-1])  # noqa: B023

            text = await rounds(asked.rounds, median, lambda got: abs(got - want))  # noqa: B023
            best = min(times, key=lambda t: abs(statistics.median(t) - want))
            sd, p99 = statistics.stdev(best), statistics.quantiles(best, n=100)[98]
            error, allowed = abs(statistics.median(best) - want), max(0.2, 0.01 * want)
            print(f"{want:16.2f} {text} {sd:7.3f} {p99:8.3f}  {'yes' if error <= allowed else 'NO'}")


async def tcp(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print(f"\n{'TCP at 40 ms':>16} {HEAD}  wire's CPU; the error is the share of what the rate allows")
    for control in asked.control.split(","):
        for want in RATES:
            async with links(kind, spec(0, 40.0, want)) as shaper:
                share: list[float] = []

                async def flow() -> float:
                    before, start = await shaper.cost(), time.monotonic()
                    words = ["-t", str(asked.seconds), "-O", "2", "-C", control]  # noqa: B023
                    got = received(await iperf(HOSTS[0], HOSTS[1], "192.168.0.2", *words))
                    share.append(used(before, await shaper.cost(), time.monotonic() - start))  # noqa: B023
                    return got

                text = await rounds(asked.rounds, flow, lambda got: 1 - got / (want * PAYLOAD))  # noqa: B023
                print(f"{control:>8} {want:7.0f} {text}  {min(share):.0%} of a core")


def used(before: Any, after: Any, seconds: float) -> float:
    return float(after.get("cpu_seconds", 0.0) - before.get("cpu_seconds", 0.0)) / seconds


async def fast(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print("\none link of 30 ms without a rate, TCP")
    for control in asked.control.split(","):
        async with links(kind, spec(0, 30.0, None)) as shaper:
            for _ in range(asked.rounds):
                noise, before, start = busy(), await shaper.cost(), time.monotonic()
                words = ["-t", str(asked.seconds), "-O", "2", "-C", control]
                got = received(await iperf(HOSTS[0], HOSTS[1], "192.168.0.2", *words))
                share = used(before, await shaper.cost(), time.monotonic() - start)
                per = f"{1000 * share / got:.3f} core per Gbit/s"
                print(f"{control:>8} {got:9.0f} Mbit/s, {share:.0%} of a core, {per}, others {noise:.0%}")


async def packets(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print("\nUDP of 64 bytes over 30 ms: the wire's share of a core by packets per second")
    async with links(kind, spec(0, 30.0, None)) as shaper:
        for rate in ("5M", "10M", "20M", "40M"):
            before, start = await shaper.cost(), time.monotonic()
            report = await iperf(
                *(HOSTS[0], HOSTS[1], "192.168.0.2"),
                *("-u", "-l", "64", "-b", rate, "-t", str(asked.seconds), "-w", "4M"),
            )
            seconds, end = time.monotonic() - start, report["end"]["sum"]
            share, pps = used(before, await shaper.cost(), seconds), end["packets"] / end["seconds"]
            counted = (await shaper.counters())["L0"]["ab"]
            print(
                f"{pps:9.0f} packets/s, {share:.0%} of a core, lost {end['lost_percent']:.2f} %, "
                f"unasked drops {counted.unasked}, late {dict(counted.lateness)}"
            )


async def chain(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print("\nfive links of the 2016 segments at 100 Mbit/s, all carrying TCP at once")
    segments = [spec(n, want, 100.0) for n, want in enumerate(RTTS[5:])]
    async with links(kind, *segments) as shaper:
        noise, before, start = busy(), await shaper.cost(), time.monotonic()
        words = ["-t", str(asked.seconds + 3), "-O", "3"]
        reports = await asyncio.gather(
            *(iperf(s.a, s.b, s.address_b, *words, port=5201 + s.number) for s in segments)
        )
        share = used(before, await shaper.cost(), time.monotonic() - start)
        for segment, report in zip(segments, reports, strict=True):
            counted = (await shaper.counters())[segment.name]["ab"]
            print(f"{segment.rtt:9.2f} ms {received(report):9.1f} Mbit/s, unasked {counted.unasked}")
        print(f"          wire: {share:.0%} of a core, others before {noise:.0%}")
        both = [await ping(s.a, s.address_b, 50) for s in segments]
        errors = [statistics.median(t) - s.rtt for s, t in zip(segments, both, strict=True)]
        print(f"          RTT errors, one after another: {', '.join(f'{e:+.3f}' for e in errors)} ms")


async def build(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print("\nlinks built, changed and removed, s")
    for count in (1, 5, 25, 100):
        took: list[tuple[float, ...]] = []
        for _ in range(asked.rounds):
            with tempfile.TemporaryDirectory() as folder:
                fabric, marks = Fabric(LAB, kind(LAB, Path(folder))), [time.monotonic()]
                for host in HOSTS[:2]:
                    await run(["ip", "netns", "add", host])
                marks.append(time.monotonic())
                await fabric.create()
                marks.append(time.monotonic())
                try:
                    many = [parallel(n) for n in range(count)]
                    await fabric.add_links([Wiring(s, s.a, s.b) for s in many])
                    marks.append(time.monotonic())
                    await fabric.shaper.change("P0", rtt=30.0, rate=20.0)
                    marks.append(time.monotonic())
                finally:
                    await fabric.destroy()
                    marks.append(time.monotonic())
                    for host in HOSTS[:2]:
                        await run(["ip", "netns", "del", host])
            took.append(tuple(b - a for a, b in itertools.pairwise(marks[1:])))
        create, add, change, destroy = (min(column) for column in zip(*took, strict=True))
        rest = f"change one {change:.2f}, destroy {destroy:.2f}"
        print(f"{count:9} links: create {create:.2f}, add {add:.2f}, {rest}")


def parallel(number: int) -> LinkSpec:
    """One of many links between the same two hosts."""
    base = spec(0, 20.0, 10.0)
    return replace(
        base, name=f"P{number}", number=number + 1, interface_a=f"e{number}", interface_b=f"e{number}"
    )


PARTS = {"rtt": rtt, "tcp": tcp, "fast": fast, "packets": packets, "chain": chain, "build": build}


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shaper", default="all", choices=["all", *(kind.name for kind in kinds())])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="s of each throughput test, after 2 to settle")
    parser.add_argument("--control", default="cubic", help="congestion controls, with commas between")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    asked = parser.parse_args()
    print(f"kernel {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for kind in kinds():
        if asked.shaper not in ("all", kind.name):
            continue
        if reason := await kind.probe():
            print(f"\n== {kind.name}: cannot be had here: {reason}")
            continue
        print(f"\n== {kind.name}")
        for part in asked.only.split(","):
            await PARTS[part](kind, asked)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except LabError as error:
        raise SystemExit(f"links: {error}") from error
