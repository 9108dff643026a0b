"""What it costs to look at a lab: CPU of the feed with a page open, its size, and what it does to samples.

sudo .venv/bin/python benchmarks/view.py [--parts cost,size,browser,disturb] [--samples 50] [--seconds 1]

cost     CPU of `lab view` and of the wire, with a page open and without, alternately: six hosts, and a
         hundred, without Docker. Aimed at: at most 2 % and 5 % of a core more with the page.
size     bytes a second of the feed of 2,000 links of which every one has news. The counters are made up,
         all else is the product's code. Aimed at: below 200 kB/s.
browser  CPU of a headless Chromium that has the page of these labs open, without a graphics card: all its
         processes, and not those of the lab. No aim: it may run on another machine.
disturb  as many samples with a page open as without, in random order, on two hosts. The feed goes on
         asking while they are measured, which it does not do in a run. Aimed at: no smaller share of
         valid samples with the page, by more than chance explains (Fisher's exact test, 5 %).
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

# overlays.py beside this file has the name of a package, and a script's folder comes first
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.page import processor_ms
from lab import catalog
from lab.app.request import load_experiment
from lab.app.trial import trial
from lab.emulation.emulation import Emulation
from lab.emulation.links.gauge import Flow
from lab.emulation.links.link import LinkState, Shape
from lab.feed.flows import LinkHistory
from lab.feed.hub import dumps
from lab.feed.links import LinkWatch
from lab.feed.objects import COLUMNS
from lab.feed.watch import stamped
from lab.runs.experiment import Cell
from lab.runs.sample import Sample
from lab.util.signals import cancel_on_signal
from overlays.registry import parse
from tests.integration import browser
from topologies.point_to_point import topology

TICKS = os.sysconf("SC_CLK_TCK")
#: Seconds of a window in which CPU is counted, and windows with and without a page.
WINDOW, WINDOWS = 10.0, 3
#: Most that a page may cost, percent of a core, by hosts; and bytes a second of the largest feed.
AIMS, LARGEST = {6: 2.0, 100: 5.0}, 200_000
LINKS = 2000
METRICS = ("tcp", "udp", "latency")
#: Share of the samples without a page that must count, or else nothing is told about those with one.
LEAST_VALID = 0.5


class Viewer:
    """A `lab view`, and a page that reads its events while `open`."""

    def __init__(self, lab: str) -> None:
        argv = [sys.executable, "-m", "lab", "view", lab]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise SystemExit("view: the server did not start")
        self._host, _, self._token = self.address.removeprefix("http://").partition("/?token=")
        self.bytes = 0

    @contextmanager
    def page(self) -> Iterator[None]:
        """Read events until this ends."""
        line = http.client.HTTPConnection(self._host)
        line.request("GET", f"/events?token={self._token}")
        answer = line.getresponse()
        thread = threading.Thread(target=self._read, args=(answer,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            if line.sock is not None:
                line.sock.shutdown(2)
            thread.join()
            line.close()

    def _read(self, answer: http.client.HTTPResponse) -> None:
        try:
            while data := answer.read1(1 << 16):
                self.bytes += len(data)
        except (OSError, http.client.HTTPException):
            pass

    def end(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait()


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU of a process so far, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def used(pids: Sequence[int]) -> list[float]:
    """Percent of a core that processes used during a window."""
    before, start = [cpu_seconds(pid) for pid in pids], time.monotonic()
    time.sleep(WINDOW)
    passed = time.monotonic() - start
    return [100 * (cpu_seconds(pid) - was) / passed for pid, was in zip(pids, before, strict=True)]


async def cost(name: str, hosts: int) -> bool:
    """Print what a page of a lab costs; returns True where the aim is met."""
    async with Emulation(catalog.topology(name), name=f"bench-{os.getpid()}", daemons="none") as lab:
        wire = [process.pid for process in lab.shaper.processes]
        viewer = await asyncio.to_thread(Viewer, lab.name)
        try:
            return await asyncio.to_thread(_cost, viewer, wire, hosts, len(lab.links))
        finally:
            viewer.end()


def _cost(viewer: Viewer, wire: Sequence[int], hosts: int, links: int) -> bool:
    pids, rows = [viewer.process.pid, *wire], {"page": [], "none": []}
    size: list[float] = []
    with viewer.page():
        time.sleep(3)  # the first look reads all
    for _ in range(WINDOWS):
        rows["none"].append(used(pids))
        with viewer.page():
            time.sleep(1)
            before = viewer.bytes
            rows["page"].append(used(pids))
            size.append((viewer.bytes - before) / WINDOW)
    with_page, without = ([median(column) for column in zip(*rows[kind], strict=True)] for kind in rows)
    more = sum(with_page) - sum(without)
    names = ["lab view", "the wire"][: len(pids)]
    parts = ", ".join(
        f"{n} {a:.2f} % and {b:.2f} %" for n, a, b in zip(names, with_page, without, strict=True)
    )
    print(
        f"{hosts} hosts, {links} links, with a page and without: {parts} of a core; {more:+.2f} %", flush=True
    )
    print(
        f"    {median(size) / 1e3:.1f} kB/s; aim {AIMS[hosts]:g} %: {_word(more <= AIMS[hosts])}", flush=True
    )
    return more <= AIMS[hosts]


async def browsing(name: str, hosts: int) -> None:
    """Print what a browser uses that has the page of a lab open."""
    async with Emulation(catalog.topology(name), name=f"bench-{os.getpid()}", daemons="none") as lab:
        viewer = await asyncio.to_thread(Viewer, lab.name)
        try:
            rows = await asyncio.to_thread(_browsing, viewer)
        finally:
            viewer.end()
    words = ", ".join(f"{row:.1f}" for row in rows)
    print(f"{hosts} hosts: the browser itself uses {median(rows):.1f} % of a core ({words})", flush=True)


def _browsing(viewer: Viewer) -> list[float]:
    """Return the CPU of a browser with the page open in each window, percent of a core."""
    found, others = [], children()
    with browser.browser() as tab:
        [pid] = children() - others
        tab.open(viewer.address)
        time.sleep(5)
        for _ in range(WINDOWS):
            before, start = cpu_seconds(pid) + processor_ms(pid) / 1000, time.monotonic()
            time.sleep(WINDOW)
            now = cpu_seconds(pid) + processor_ms(pid) / 1000
            found.append(100 * (now - before) / (time.monotonic() - start))
    return found


def children() -> set[int]:
    """Return the processes that this one started."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for one in lists for pid in one.read_text().split()}


class BusyLinks(LinkWatch):
    """Links of which every one has other counts each time; there is no kernel behind them."""

    def __init__(self, count: int) -> None:
        shape = Shape(10.0, rate=100.0)
        self.known = {
            f"h{n}-h{n + 1}": LinkState(f"h{n}-h{n + 1}", n + 1, shape, shape) for n in range(count)
        }
        self.chance = random.Random(7)
        self.flows = dict.fromkeys(self.known, Flow(0, 0, 0, 0, 0, 0, 0))
        self.histories = {name: LinkHistory() for name in self.known}
        self._history = self.histories

    def later(self) -> None:
        """Let packets pass over every link."""
        for name, flow in self.flows.items():
            packets = self.chance.randrange(1, 8000)
            late = flow.late_ms + packets * self.chance.uniform(0.02, 0.09)
            self.flows[name] = flow._replace(
                packets=flow.packets + packets,
                bytes=flow.bytes + packets * self.chance.randrange(60, 1500),
                waiting=self.chance.randrange(0, 80),
                waiting_bytes=self.chance.randrange(0, 100_000),
                late=flow.late + packets,
                late_ms=late,
            )

    def object(self) -> dict[str, Any]:
        """Return a `links` object of all rows."""
        why: dict[str, str] = {}
        figures: dict[str, Any] = {}
        rows = [
            row
            for number, (name, state) in enumerate(self.known.items())
            for row in self._rows(number, state, (self.flows[name],) * 2, 1.0, why, figures)
        ]
        return stamped("links", lab="class", columns=list(COLUMNS), rows=rows, why=why)


def size() -> bool:
    """Print the size of the feed of many busy links; returns True where the aim is met."""
    links = BusyLinks(LINKS)
    links._echoes = type("Silent", (), {"rtts": dict.fromkeys(links.known, 20.12)})()  # noqa: SLF001
    sizes, took = [], []
    for _ in range(8):
        links.later()
        start = time.process_time()
        text = dumps(links.object())
        took.append(time.process_time() - start)
        sizes.append(len(text) + len("data: \n\n"))
    largest = max(sizes[1:])
    print(
        f"{LINKS} links with news: {largest / 1e3:.0f} kB a second, {100 * median(took):.1f} % of a core",
        end="",
    )
    print(f"; aim {LARGEST / 1e3:g} kB: {_word(largest < LARGEST)}", flush=True)
    return largest < LARGEST


async def disturb(asked: argparse.Namespace, found: list[tuple[str, Sample]]) -> None:
    """Measure samples with a page open and without, in random order."""
    experiment = load_experiment("multihop")
    ends = {"from": "AMS", "to": "BRA", "hops": 1}
    cells = [Cell("underlay", metric, ends, 1, asked.seconds) for metric in METRICS]
    order = [(kind, cells[n % len(cells)]) for n in range(asked.samples) for kind in ("page", "none")]
    random.Random(asked.seed).shuffle(order)
    async with trial(topology(rate=asked.rate), parse("underlay"), experiment, cells, daemons="none") as lab:
        viewer = await asyncio.to_thread(Viewer, lab.emulation.name)
        try:
            for kind, cell in order:
                if kind == "page":
                    with viewer.page():
                        await asyncio.sleep(1)
                        found.append((kind, await lab.sample(cell)))
                else:
                    await asyncio.sleep(1)
                    found.append((kind, await lab.sample(cell)))
        finally:
            viewer.end()


def table(found: Sequence[tuple[str, Sample]]) -> bool:
    """Print how samples were judged; returns True where those with a page are no worse."""
    from scipy.stats import fisher_exact

    rows = {
        kind: Counter(sample.valid for what, sample in found if what == kind) for kind in ("page", "none")
    }
    for kind, row in rows.items():
        words = {"page": "with a page", "none": "without"}[kind]
        print(f"{words}: {row[True]} of {row.total()} samples count ({row[True] / max(row.total(), 1):.0%})")
    worse = [[rows[kind][True], rows[kind][False]] for kind in ("page", "none")]
    chance = float(fisher_exact(worse, "less").pvalue)
    # where hardly a sample counts anyway, a page can spoil none: that is no finding
    told = rows["none"][True] >= LEAST_VALID * rows["none"].total()
    word = _word(chance > 0.05) if told else "cannot be told: too few samples count without a page either"
    print(f"fewer with a page: p = {chance:.3f} (one-sided); {word}")
    for metric in METRICS:
        print(f"    {metric}: " + ", ".join(f"{kind} {_middle(found, kind, metric)}" for kind in rows))
    reasons = Counter(_reason(sample) for kind, sample in found if kind == "page" and not sample.valid)
    for reason, count in reasons.most_common(3):
        print(f"    {count} × {reason}")
    return told and chance > 0.05


def _reason(sample: Sample) -> str:
    return sample.verdict.reasons[0] if sample.verdict.reasons else str(sample.error)


def _middle(found: Sequence[tuple[str, Sample]], kind: str, metric: str) -> str:
    name, unit = ("mean_ms", "ms") if metric == "latency" else ("received_mbps", "Mbit/s")
    values = [
        sample.values[name]
        for what, sample in found
        if what == kind and sample.metric == metric and name in sample.values
    ]
    return f"{median(values):.3f} {unit}" if values else "–"


def _word(met: bool) -> str:
    return "met" if met else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="cost,size,browser,disturb")
    parser.add_argument("--samples", type=int, default=50, help="with a page, and as many without")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each sample")
    parser.add_argument("--rate", type=float, default=50.0, help="of the link, Mbit/s")
    parser.add_argument("--seed", type=int, default=7, help="of the order")
    asked = parser.parse_args()
    print(
        f"kernel {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before",
        flush=True,
    )
    parts, met, found = asked.parts.split(","), [], []
    try:
        if "size" in parts:
            met.append(size())
        if "cost" in parts:
            met.append(asyncio.run(cancel_on_signal(cost("linear", 6))))
            met.append(asyncio.run(cancel_on_signal(cost("grid:rows=10,columns=10", 100))))
        if "browser" in parts:
            asyncio.run(cancel_on_signal(browsing("linear", 6)))
            asyncio.run(cancel_on_signal(browsing("grid:rows=10,columns=10", 100)))
        if "disturb" in parts:
            asyncio.run(cancel_on_signal(disturb(asked, found)))
    except asyncio.CancelledError:
        print("interrupted: what there is")
    if found:
        met.append(table(found))
    print(f"load {os.getloadavg()[0]:.1f} after")
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
