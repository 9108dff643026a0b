#!/usr/bin/env python3
"""A failure drill on a ring: a link goes down under traffic and comes up again; how long is it dark?

Five sites in a ring, an endpoint at each, and one packet every 50 ms between two neighbours. Their
link then loses everything for a while. There is another way round, and whether it is taken is the
overlay's business: the underlay's routes are static and wait for the link; an overlay that watches
its neighbours finds the other way after its own patience. tinc asks a neighbour once a minute and
waits five seconds for the answer (PingInterval and PingTimeout in tinc.conf(5)), so a link that is
down for less may be dark all the time.

    sudo .venv/bin/python examples/failure_drill.py --overlay underlay tinc --down 90

Questions: what does an overlay's patience depend on? What would a shorter one cost? What changes
in the round trip while the other way is taken, and why?
"""

from __future__ import annotations

import argparse
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from time import sleep

from lab import Lab
from lab.errors import MeasureError
from lab.measure.ping import timestamps_argv
from topologies import ring

EVERY = 0.05  # s between two packets
BEFORE, AFTER = 1.0, 3.0  # s of traffic before the link goes, and after it is back
ANSWER = re.compile(r"^\[(?P<at>[0-9.]+)\].*icmp_seq=(?P<number>\d+) .*time=(?P<rtt>[0-9.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Drill:
    """The drill of one overlay: `dark` and `down` in s, round trips in ms (NaN: no answer), lost packets."""

    overlay: str
    down: float
    dark: float
    lost: int
    rtt_before: float
    rtt_during: float


def read(overlay: str, down: float, said: str) -> Drill:
    """The drill in the output of ``ping -D``.

    Raises:
        MeasureError: no answer came after the link was up again.
    """
    answers = [(float(m["at"]), int(m["number"]), float(m["rtt"])) for m in ANSWER.finditer(said)]
    times = [at for at, _, _ in answers]
    if not times or times[-1] - times[0] < BEFORE + down:
        raise MeasureError("ping", f"got no answer on {overlay} after the link was up again", said)
    gaps = {second - first: first for first, second in pairwise(times)}
    longest = max(gaps)
    cut = gaps[longest]
    during = [rtt for at, _, rtt in answers if cut + longest <= at < cut + down]
    before = [rtt for at, _, rtt in answers if at <= cut]
    return Drill(
        overlay,
        down,
        longest - EVERY,
        answers[-1][1] - len(answers),
        sorted(before)[len(before) // 2],
        sorted(during)[len(during) // 2] if during else float("nan"),
    )


def drill(overlay: str, down: float) -> Drill:
    """Bring a ring up, cut a link of it for `down` seconds, and see what the traffic on it did."""
    with Lab(ring.topology(), overlay=overlay) as lab, ThreadPoolExecutor(1) as beside:
        ends, spec = lab.endpoints(), lab.topology.links[0]
        link, seconds = lab.link(spec.a, spec.b), BEFORE + down + AFTER
        argv = timestamps_argv(ends[spec.b].address, seconds, EVERY)
        traffic = beside.submit(ends[spec.a].run, argv, timeout=seconds + 30, check=False)
        sleep(BEFORE)
        link.change(loss=100)
        sleep(down)
        link.change(loss=0)
        return read(overlay, down, traffic.result().stdout)


def main() -> None:
    """Drill one overlay after another, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--overlay", nargs="+", default=["underlay", "tinc"])
    parser.add_argument("--down", type=float, default=90.0, help="seconds for which the link is down")
    asked = parser.parse_args()
    print(f"{'overlay':>12} {'down, s':>8} {'dark, s':>8} {'lost':>5} {'RTT before':>11} {'other way':>17}")
    for overlay in asked.overlay:
        found = drill(overlay, asked.down)
        print(
            f"{found.overlay:>12} {found.down:8.1f} {found.dark:8.2f} {found.lost:5d} "
            f"{found.rtt_before:8.1f} ms {found.rtt_during:14.1f} ms"
        )


if __name__ == "__main__":
    main()
