"""Profiles built from times by metric: those of the studies, and those that fit on two cores."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from lab.runs.experiment import Profile

#: A quarter of a CPU per host: two hosts and the link between them then fit on two cores. The host
#: limits a sample, as it did in 2016, when every machine had one vCPU. With half a CPU, UDP took 80 %
#: of two cores, and the link released packets late.
QUARTER = 0.25
BOUND = "the testbed's ports, and a quarter of a CPU per host, so that the host sets the pace as in 2016"
#: Why a link has 10 Mbit/s where packets take five hops.
FIVE_HOPS = "a rate that two cores carry through five hops forwarded in user space"
#: Mbit/s, of the testbed's ports.
PORTS = 1000
#: How often ``quick`` brings every overlay up: the least that gives an interval. ``paper`` takes every one
#: of its samples of a cell in a bring-up of its own.
BRING_UPS = 3


class Times(NamedTuple):
    """Samples of a metric in each cell: their number in all, their time and the warm-up before each (s)."""

    repetitions: int
    seconds: float
    warmup: float = 0


def profile(
    name: str,
    times: Mapping[str, Times],
    rate: float,
    why: str,
    cpus: float | None = None,
    bring_ups: int = BRING_UPS,
    left_out: str = "",
) -> Profile:
    """Build a profile from times by metric; `rate` is that of every link (Mbit/s), `cpus` that of a host.

    The samples are spread over `bring_ups` of every overlay, as many in each.
    """
    return Profile(
        name=name,
        bring_ups=bring_ups,
        repetitions={metric: ceil(one.repetitions / bring_ups) for metric, one in times.items()},
        seconds={metric: one.seconds for metric, one in times.items()},
        warmup={metric: one.warmup for metric, one in times.items() if one.warmup},
        rate=rate,
        why=why,
        cpus=cpus,
        left_out=left_out,
    )


def link_bound(
    times: Mapping[str, Times],
    rate: float,
    why: str,
    paper: Profile,
    left_out: str = "",
    *,
    bring_ups: int = BRING_UPS,
) -> dict[str, Profile]:
    """Build a ``quick`` profile in which the links' `rate` (Mbit/s) is the limit; ``paper`` is as given.

    `left_out` says what ``quick`` does not measure, and ``paper`` does.
    """
    quick = profile("quick", times, rate, why, bring_ups=bring_ups, left_out=left_out)
    return {"quick": quick, "paper": paper}


def host_bound(times: Mapping[str, Times]) -> dict[str, Profile]:
    """Build a ``quick`` profile in which the hosts' CPU (`QUARTER`) is the limit, and ``paper``."""
    return {"quick": profile("quick", times, PORTS, BOUND, QUARTER), "paper": paper(*times)}


def paper(*metrics: str, **seconds: float) -> Profile:
    """Build the studies' profile: 20 samples per metric, each of 120 s or the `seconds` given for it.

    Every sample has a bring-up of its own, and every host one CPU.
    """
    times = {metric: Times(20, seconds.get(metric, 120)) for metric in metrics}
    why = "the testbed's ports, and one vCPU per host, as in 2016"
    return profile("paper", times, PORTS, why, cpus=1, bring_ups=20)
