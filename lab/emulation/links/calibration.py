"""Calibration: every link's RTT, rate and loss measured in both directions, before it is trusted.

First the round trips and losses of all links are measured at the same time. Then each link in turn
is filled, to measure its rate. The delay that the path itself adds (interfaces, bridge, timers) is
subtracted from the imposed delay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from statistics import median, quantiles
from typing import Any

from lab.emulation.links.link import DIRECTIONS, LinkState, Shape
from lab.emulation.links.netns import OWN_MODULES
from lab.emulation.links.shaper import Shaper
from lab.emulation.ownership import LabState
from lab.errors import ShaperError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.topology import LinkSpec

#: Seconds for which the round trips and losses of every link are measured.
SECONDS = 0.6
#: How far a link's median RTT may be off (ms, and as a share of what was asked). The shapers keep
#: within it on a machine that also does other work.
TOLERANCE_MS, TOLERANCE_SHARE = 0.5, 0.02
#: Shares by which its rate may be below and above what was asked: to fill a fast link takes much CPU.
BELOW, ABOVE = 0.05, 0.02
#: How many standard deviations the loss may be off: of ten thousand links one is so by chance.
DEVIATIONS = 4.0
#: Bounds (ms) of what the path adds to a round trip: less is not worth a change, more is no constant offset.
LEAST_OFFSET, MOST_OFFSET = 0.02, 1.0
TRIES = 3

Row = dict[str, float]


async def calibrate(
    links: Sequence[LinkSpec], shaper: Shaper, *, accept: bool = False, run: RunCommand = command.run
) -> tuple[dict[str, Row], list[str]]:
    """Measure links; return a row of figures by link, and a sentence for each fault.

    A row has, in ms, the round trip asked, the measured median and percentiles 1 and 99, and the median
    of each direction. It has each direction's rate (Mbit/s) and loss (percent). It also has the time (ms)
    by which each direction's delay was made shorter, as the path itself takes so long.

    Args:
        links: the links as they were built.
        shaper: their shaper; its present states count, if a link was changed since.
        accept: return the faults rather than raise.
        run: runs this machine's commands.

    Raises:
        ShaperError: a link still has a fault after `TRIES` measurements.
    """
    states = shaper.states
    left = [link for link in links if not states[link.name].down]
    await trim(left, shaper, run)
    rows: dict[str, Row] = {}
    for _ in range(TRIES):
        rows |= await measure(left, shaper, run=run)
        states = shaper.states
        left = [link for link in left if faults(states[link.name], rows[link.name])]
        if not left:
            return rows, []
    off = [fault for link in left for fault in faults(states[link.name], rows[link.name])]
    if not accept:
        raise ShaperError(
            f"links are not what was asked: {'; '.join(off)}; free the machine's CPUs, or have it "
            f"so (--ignore-calibration), which marks every sample"
        )
    return rows, off


async def measure(
    links: Sequence[LinkSpec], shaper: Shaper, *, rates: bool = True, run: RunCommand = command.run
) -> dict[str, Row]:
    """Measure links, and return a row of figures by link without judging them."""
    states = shaper.states
    order = {
        "links": [_order(link, states[link.name]) for link in links],
        "seconds": SECONDS,
        "rates": rates,
    }
    argv = [sys.executable, "-P", "-S", "-m", "lab.emulation.links.link_meter"]
    env = {**OWN_MODULES, **LabState(shaper.lab_id).environment}  # clean-up ends it
    done = await run(argv, stdin=json.dumps(order).encode(), env=env, timeout=60 + 30 * len(links))
    answer = json.loads(done.stdout)
    return {link.name: row(states[link.name], answer[link.name]) for link in links}


def _order(link: LinkSpec, state: LinkState) -> dict[str, Any]:
    return {
        "name": link.name,
        "mtu": link.mtu,
        "rtt": state.ab.delay + state.ba.delay + 4 * (state.ab.jitter + state.ba.jitter),
        "end_a": state.end_a,
        "end_b": state.end_b,
        "address_a": link.address_a,
        "address_b": link.address_b,
        "rate_ab": state.ab.rate,
        "rate_ba": state.ba.rate,
    }


def row(state: LinkState, measured: Mapping[str, Any]) -> Row:
    """Return a link's row, as it is stored, from the meter's answer; it lacks what could not be measured."""
    row: Row = {"asked_ms": round(state.ab.delay + state.ba.delay, 3), "echoes": float(len(measured["rtt"]))}
    if rtts := sorted(measured["rtt"]):
        cuts = quantiles(rtts, n=100, method="inclusive") if len(rtts) > 1 else rtts * 99
        row |= {"median_ms": median(rtts), "p1_ms": cuts[0], "p99_ms": cuts[98]}
    for direction in DIRECTIONS:
        one, rate = measured[direction], state.shape(direction).rate
        if one["ms"]:
            row[f"{direction}_ms"] = median(one["ms"])
        if rate is not None and one["rate"] is not None:
            row |= {f"{direction}_asked_mbit": rate, f"{direction}_mbit": one["rate"]}
        row[f"{direction}_lost_percent"] = 100 * (1 - one["came"] / one["sent"])
        row[f"{direction}_datagrams"] = float(one["sent"])
    row["trim_ms"] = state.trim
    return {key: round(value, 3) for key, value in row.items()}


def faults(state: LinkState, row: Row) -> list[str]:
    """Return a sentence for each figure of a row that is outside its tolerance."""
    found = list(_rtt_faults(state, row))
    for direction in DIRECTIONS:
        found += (
            f"({direction}) {fault}" for fault in _direction_faults(state.shape(direction), direction, row)
        )
    return [f"{state.name} {fault}" for fault in found]


def _rtt_faults(state: LinkState, row: Row) -> Iterator[str]:
    asked, got = row["asked_ms"], row.get("median_ms")
    # the median of Pareto's distribution is below its mean, that of some hundred packets uncertain
    slack = max(TOLERANCE_MS, TOLERANCE_SHARE * asked) + 0.5 * (state.ab.jitter + state.ba.jitter)
    if got is None:
        if max(state.ab.loss, state.ba.loss) < 90:
            yield f"was asked for {asked:g} ms and answers nothing"
    # where packets go ahead, some that are not delayed are a part of what was asked
    elif not (state.ab.reorder or state.ba.reorder) and abs(got - asked) > slack:
        yield f"was asked for {asked:g} ms and has {got:g}"


def _direction_faults(shape: Shape, direction: str, row: Row) -> Iterator[str]:
    rate, got = shape.rate, row.get(f"{direction}_mbit")
    kept = 1 - shape.loss / 100  # what is offered is 15 % above the rate before losses
    least = (1 - BELOW) * (rate or 0.0) * min(1, 1.1 * kept)
    if rate and got is not None and not least <= got <= (1 + ABOVE) * rate:
        yield f"was asked for {rate:g} Mbit/s and has {got:g}"
    lost, sent = row[f"{direction}_lost_percent"], row[f"{direction}_datagrams"]
    # losses in bursts come in fewer, larger portions
    spread = sqrt(shape.loss * (100 - shape.loss) / sent * (2 * (shape.burst or 1) - 1))
    if abs(lost - shape.loss) > DEVIATIONS * spread + (100 / sent if shape.loss else 0):
        yield f"was asked for a loss of {shape.loss:g} % and lost {lost:g}"


async def trim(links: Sequence[LinkSpec], shaper: Shaper, run: RunCommand = command.run) -> None:
    """Subtract what the path adds from the imposed delay; the first percentile shows its constant part."""
    rows, states = await measure(links, shaper, rates=False, run=run), shaper.states
    for link in links:
        state, measured = states[link.name], rows[link.name]
        if any((state.ab.jitter, state.ba.jitter, state.ab.reorder, state.ba.reorder)):
            continue
        offset = measured.get("p1_ms", 0.0) - measured["asked_ms"]
        if LEAST_OFFSET < offset < MOST_OFFSET:
            await shaper.put(replace(state, trim=round(state.trim + offset / 2, 4)))
