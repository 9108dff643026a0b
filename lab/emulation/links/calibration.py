"""Whether every link is what was asked: measured in both directions before it is trusted.

All links are looked at at the same time for a moment, then filled one after the other for their
rates. What the path itself adds to the delay (interfaces, bridge, timers) is taken out of the
delay that is imposed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from statistics import median, quantiles
from typing import Any

from lab.emulation.links.link import LinkState
from lab.emulation.links.shaper import Shaper
from lab.emulation.wire.wire import OWN_MODULES
from lab.errors import ShaperError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.topology import LinkSpec

#: Seconds for which every link is looked at.
SECONDS = 0.6
#: How far a link's median RTT may be off (ms, and as a share of what was asked): what the
#: shapers keep on a machine that also does other things.
TOLERANCE_MS, TOLERANCE_SHARE = 0.5, 0.02
#: How far its rate may be below and above what was asked: a fast one needs the machine for a moment.
BELOW, ABOVE = 0.05, 0.02
#: How many standard deviations the loss may be off: of ten thousand links one is so by chance.
DEVIATIONS = 4.0
#: What the path adds to a round trip (ms): less is not worth a change, more is no constant offset.
LEAST_OFFSET, MOST_OFFSET = 0.02, 1.0
TRIES = 3

Row = dict[str, float]


async def calibrate(
    links: Sequence[LinkSpec], shaper: Shaper, *, accept: bool = False, run: RunCommand = command.run
) -> tuple[dict[str, Row], list[str]]:
    """Measure links; by link what was asked and found, and a sentence for each that is off.

    Rows have, in ms, the round trip asked, its median and its percentiles 1 and 99, and the median
    of each direction; in Mbit/s each direction's rate; in percent its loss; and by how much (ms)
    each direction's delay was made shorter for what the path takes.

    Args:
        links: as they were built.
        shaper: theirs; what they are asked for now is what counts.
        accept: return what is off rather than raise.
        run: what runs this machine's commands.

    Raises:
        ShaperError: a link is off after `TRIES` measurements.
    """
    open_links = [link for link in links if not shaper.lines[link.name].down]
    await trim(open_links, shaper, run)
    rows: dict[str, Row] = {}
    left = open_links
    for _ in range(TRIES):
        rows |= await measure(left, shaper, run=run)
        left = [link for link in left if faults(shaper.lines[link.name], rows[link.name])]
        if not left:
            return rows, []
    off = [fault for link in left for fault in faults(shaper.lines[link.name], rows[link.name])]
    if not accept:
        raise ShaperError(
            f"links are not what was asked: {'; '.join(off)}; free the machine's CPUs, or have it "
            f"so (--accept-links), which marks every sample"
        )
    return rows, off


async def measure(
    links: Sequence[LinkSpec], shaper: Shaper, *, rates: bool = True, run: RunCommand = command.run
) -> dict[str, Row]:
    """What links do now, without a judgement."""
    lines = shaper.lines
    order = {
        "links": [_order(link, lines[link.name]) for link in links],
        "seconds": SECONDS,
        "rates": rates,
    }
    argv = [sys.executable, "-S", "-m", "lab.emulation.links.link_meter"]
    done = await run(argv, stdin=json.dumps(order).encode(), env=OWN_MODULES, timeout=60 + 30 * len(links))
    answer = json.loads(done.stdout)
    return {link.name: row(lines[link.name], answer[link.name]) for link in links}


def _order(link: LinkSpec, line: LinkState) -> dict[str, Any]:
    return {
        "name": link.name,
        "mtu": link.mtu,
        "rtt": line.ab.delay + line.ba.delay + 4 * (line.ab.jitter + line.ba.jitter),
        "end_a": line.end_a,
        "end_b": line.end_b,
        "address_a": link.address_a,
        "address_b": link.address_b,
        "rate_ab": line.ab.rate,
        "rate_ba": line.ba.rate,
    }


def row(line: LinkState, found: Mapping[str, Any]) -> Row:
    """What the meter found of a link, as it is stored; figures that are not there were not to be had."""
    told: Row = {"asked_ms": round(line.ab.delay + line.ba.delay, 3), "echoes": float(len(found["rtt"]))}
    if trips := sorted(found["rtt"]):
        cuts = quantiles(trips, n=100, method="inclusive") if len(trips) > 1 else trips * 99
        told |= {"median_ms": median(trips), "p1_ms": cuts[0], "p99_ms": cuts[98]}
    for direction, shape in (("ab", line.ab), ("ba", line.ba)):
        seen = found[direction]
        if seen["ms"]:
            told[f"{direction}_ms"] = median(seen["ms"])
        if shape.rate is not None and seen["rate"] is not None:
            told |= {f"{direction}_asked_mbit": shape.rate, f"{direction}_mbit": seen["rate"]}
        told[f"{direction}_lost_percent"] = 100 * (1 - seen["came"] / seen["sent"])
        told[f"{direction}_datagrams"] = float(seen["sent"])
    told["trim_ms"] = line.trim
    return {key: round(value, 3) for key, value in told.items()}


def faults(line: LinkState, told: Row) -> list[str]:
    """A sentence for each figure that is further off than chance and this machine explain."""
    return [f"{line.name} {fault}" for fault in [*_rtt(line, told), *_ways(line, told)]]


def _rtt(line: LinkState, told: Row) -> Sequence[str]:
    asked, got = told["asked_ms"], told.get("median_ms")
    if got is None:
        return [f"was asked for {asked:g} ms and answers nothing"] if _passes(line) else []
    # the median of Pareto's distribution is below its mean, that of some hundred packets uncertain
    slack = max(TOLERANCE_MS, TOLERANCE_SHARE * asked) + 0.5 * (line.ab.jitter + line.ba.jitter)
    if line.ab.reorder or line.ba.reorder:
        return []  # packets that are not delayed are a part of what was asked
    return [f"was asked for {asked:g} ms and has {got:g}"] if abs(got - asked) > slack else []


def _passes(line: LinkState) -> bool:
    return line.ab.loss < 90 and line.ba.loss < 90


def _ways(line: LinkState, told: Row) -> Sequence[str]:
    found = []
    for direction, shape in (("ab", line.ab), ("ba", line.ba)):
        rate, got = shape.rate, told.get(f"{direction}_mbit")
        kept = 1 - shape.loss / 100  # what is offered is 15 % above the rate before losses
        if (
            rate
            and got is not None
            and not (1 - BELOW) * rate * min(1, 1.1 * kept) <= got <= (1 + ABOVE) * rate
        ):
            found.append(f"({direction}) was asked for {rate:g} Mbit/s and has {got:g}")
        lost, sent = told[f"{direction}_lost_percent"], told[f"{direction}_datagrams"]
        # losses in bursts come in fewer, larger portions
        spread = sqrt(shape.loss * (100 - shape.loss) / sent * (2 * (shape.burst or 1) - 1))
        if abs(lost - shape.loss) > DEVIATIONS * spread + (100 / sent if shape.loss else 0):
            found.append(f"({direction}) was asked for a loss of {shape.loss:g} % and lost {lost:g}")
    return found


async def trim(links: Sequence[LinkSpec], shaper: Shaper, run: RunCommand = command.run) -> None:
    """Take what the path adds out of the delay; its least is what is always there."""
    rows = await measure(links, shaper, rates=False, run=run)
    for link in links:
        line, told = shaper.lines[link.name], rows[link.name]
        if line.ab.jitter or line.ba.jitter or line.ab.reorder or line.ba.reorder:
            continue
        offset = told.get("p1_ms", 0.0) - told["asked_ms"]
        if LEAST_OFFSET < offset < MOST_OFFSET:
            await shaper.put(replace(line, trim=round(line.trim + offset / 2, 4)))
