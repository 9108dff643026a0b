"""Objects of a feed, made up: a lab of three hosts that has trouble, and a run, for tests of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

#: The name of a host; a page that takes it for HTML runs a script.
EVIL = "<img src=x onerror=alert(1)>"
HOSTS = ("AMS", "PRG", EVIL)
BEGIN, SECONDS = 1_800_000_000.0, 20
#: From these seconds on, a link is late, and a daemon is dead.
LATE, DEAD = 8, 12
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><rect width="50" height="30"/></svg>'


def _at(second: float, kind: str, **values: Any) -> dict[str, Any]:
    return {"v": 1, "t": BEGIN + second, "kind": kind, **values}


def lab(second: float = 0, name: str = "made-up", **changes: Any) -> dict[str, Any]:
    """A chain of three hosts; `changes` are to what is asked of its first link."""
    asked = {"delay_ms": 5, "rate_mbit_s": 50, "loss_percent": 0, "jitter_ms": 0, "down": False}
    asked |= {"queue_packets": 100, "queue_bytes": 150_000}
    hosts = [{"name": host, "at": {"structure": [n * 150, 0]}} for n, host in enumerate(HOSTS)]
    links = [
        {"id": f"{a}-{b}", "a": a, "b": b, "asked": asked | (changes if a == "AMS" else {})}
        for a, b in pairwise(HOSTS)
    ]
    topology = {"name": "chain", "hosts": hosts, "links": links}
    return _at(second, "lab", lab=name, state="up", topology=topology, shaper="netem", clock="real")


def links(second: float, late: bool = False) -> dict[str, Any]:
    """Figures of both links; the first may be late."""
    columns = (
        "link dir rate_mbit_s packets_s rtt_ms loss_percent queue_packets queue_bytes drops lateness_ms keeps"
    )
    rows: list[list[Any]] = []
    for number, wrong in enumerate((late, False)):
        rtt, keeps = (14.2, 0) if wrong else (10.02, 1)
        rows += [[number, way, 12.5, 1000, rtt, 0, 3, 4500, 0, 0.04, keeps] for way in (0, 1)]
    why = {"0": "was asked for 10 ms and has 14.2"} if late else {}
    return _at(second, "links", lab="made-up", columns=columns.split(), rows=rows, why=why)


def host(second: float, name: str, dead: bool = False) -> dict[str, Any]:
    """Values of one host, and its daemon."""
    daemons = [
        {"name": "router", "state": "ended", "said": "killed"}
        if dead
        else {"name": "router", "state": "runs"}
    ]
    cpu = {"up": True, "cpu_percent": 40, "cpu_quota_percent": 100}
    memory = {"memory_bytes": 2e8, "memory_limit_bytes": 1 << 30}
    return _at(second, "host", lab="made-up", host=name, daemons=daemons, **cpu, **memory)


def overlay() -> dict[str, Any]:
    """An overlay with its routes: between any two hosts it takes one hop."""
    ends = [{"name": f"end-{n}", "host": name, "address": f"10.0.0.{n}"} for n, name in enumerate(HOSTS)]
    pairs = [(a, b) for a in HOSTS for b in HOSTS if a != b]
    routes = [{"from": a, "to": b, "path": [a, b], "hops": 1} for a, b in pairs]
    words = {"overlay": "tunnels", "mode": "fast", "encrypted": True, "state": "up"}
    return _at(0, "overlay", lab="made-up", endpoints=ends, routes=routes, **words)


def _run(second: float, done: int) -> Iterator[dict[str, Any]]:
    cells = [
        {"id": f"c{n}", "overlay": "tunnels", "labels": {"hops": f"{n}"}, "repetitions": 3} for n in (1, 2)
    ]
    words = {"run": "r1", "experiment": "made-up", "state": "running", "repetitions": 3, "bring_ups": 1}
    yield _at(second, "run", cells=cells, done=done, total=6, seconds_left=60, **words)
    if done:
        counts = done != 2
        verdict = {"counts": counts, "words": ["valid"], "sentences": [] if counts else [f"{EVIL} was busy."]}
        words = {"run": "r1", "overlay": "tunnels", "repetition": (done + 1) // 2, "bring_up": 1}
        yield _at(second, "sample", cell=f"c{1 + (done + 1) % 2}", state="measured", verdict=verdict, **words)


def recording() -> list[dict[str, Any]]:
    """Twenty seconds, in the order of their time."""
    objects = [lab(), overlay()]
    for second in range(SECONDS + 1):
        verdict = {"counts": second < LATE, "sentences": [f"Second {second}."]}
        words = {"cpu_percent": 20, "load": 0.5, "memory_free_bytes": 1 << 33, "verdict_now": verdict}
        objects.append(_at(second, "machine", **words))
        objects.append(links(second, second >= LATE))
        objects += [host(second, name, name == "PRG" and second >= DEAD) for name in HOSTS]
        if second % 4 == 0:
            objects += _run(second, second // 4)
    objects.insert(-3, _at(SECONDS, "event", lab="made-up", level="warning", text=f"{EVIL} has news"))
    objects.append(_at(SECONDS, "figure", run="r1", name="made up", svg=SVG))
    return objects


def lines(objects: list[dict[str, Any]]) -> list[bytes]:
    """As the recording of a run has them."""
    return [json.dumps(one).encode() for one in objects]
