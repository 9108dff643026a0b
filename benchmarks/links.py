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
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for its neighbours, however it is run

from benchmarks.linkbed import (
    HEAD,
    HOSTS,
    LAB,
    PAYLOAD,
    RATES,
    RTTS,
    busy,
    iperf,
    links,
    ping,
    received,
    rounds,
    spec,
    used,
)
from benchmarks.linkparts import jitter, loss, tclink, vxlan
from lab.emulation.links.calibration import trim
from lab.emulation.links.link import Wiring
from lab.emulation.links.shaper import Shaper
from lab.emulation.links.veth import Fabric
from lab.emulation.shaper_choice import SHAPERS
from lab.errors import LabError
from lab.hosts.command import run
from lab.topology import LinkSpec


async def rtt(kind: type[Shaper], asked: argparse.Namespace) -> None:
    print(f"\n{'RTT asked, ms':>16} {HEAD} {'sd':>7} {'p99':>8}  within")
    for want in RTTS:
        link = spec(0, want, None)
        async with links(kind, link) as shaper:
            await trim([link], shaper)  # as before every experiment
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
            each = f"{share / pps * 1e5:.2f} core per 100,000 packets/s"
            print(
                f"{pps:9.0f} packets/s, {share:.0%} of a core ({each}), lost {end['lost_percent']:.2f} %, "
                f"unexpected drops {counted.unexpected}, late {dict(counted.lateness)}"
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
            print(
                f"{segment.rtt:9.2f} ms {received(report):9.1f} Mbit/s, unexpected drops {counted.unexpected}"
            )
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


PARTS = {"rtt": rtt, "tcp": tcp, "fast": fast, "vxlan": vxlan, "packets": packets, "chain": chain}
PARTS |= {"loss": loss, "jitter": jitter, "build": build}


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shaper", default="all", choices=["all", *(kind.name for kind in SHAPERS)])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="s of each throughput test, after 2 to settle")
    parser.add_argument("--control", default="cubic", help="congestion controls, with commas between")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    asked = parser.parse_args()
    print(f"kernel {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for kind in SHAPERS:
        if asked.shaper not in ("all", kind.name):
            continue
        if reason := await kind.probe():
            print(f"\n== {kind.name}: cannot be had here: {reason}")
            continue
        print(f"\n== {kind.name}")
        for part in asked.only.split(","):
            await PARTS[part](kind, asked)
    if asked.shaper == "all":
        await tclink(asked)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except LabError as error:
        raise SystemExit(f"links: {error}") from error
