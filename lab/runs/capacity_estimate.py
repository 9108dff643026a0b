"""Estimate, before a run, whether its rate plainly is more than this machine carries.

Two sources, in this order: what `lab capacity` found here for the same network and overlay, and a
bound for overlays whose daemons carry every packet in user space. Neither stops a run: verdicts judge
what it measures.
"""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.errors import TopologyError
from lab.runs.capacity import Capacity
from lab.topology import Topology
from lab.util.files import replace
from lab.util.paths import STATE
from overlays.base import Overlay

#: Where capacities are kept, and how many: the oldest go.
FILE, KEPT = "capacity.json", 100
#: Seconds of one processor that a daemon needs to carry a gigabit in user space: the least of those that
#: were measured. Two processors without anything else to do carried 220 Mbit/s over six tinc daemons in
#: a row, 76 over six Weave routers in sleeve: 1.5 and 4.4 s per gigabit and daemon.
USER_SPACE = 1.5


def warning(name: str, overlay: Overlay, topology: Topology, folder: Path = STATE) -> str:
    """One sentence when this machine cannot carry the rate of a topology's links; "" when this is not
    certain.

    `name` is what the overlay was asked for as, with its options.
    """
    rate = max((link.rate for link in topology.links if link.rate), default=0.0)
    if not rate:
        return ""
    return _recorded(name, topology, rate, folder) or _modelled(name, overlay, topology, rate)


def recorded(name: str, topology: Topology, folder: Path = STATE) -> float | None:
    """Return the rate (Mbit/s) that this machine was found to carry for an overlay and a network."""
    of = _conditions(name, topology)
    return next((float(entry["rate"]) for entry in _entries(folder) if entry.get("of") == of), None)


def remember(name: str, topology: Topology, capacity: Capacity, folder: Path = STATE) -> None:
    """Keep a capacity for later runs, if the file can be written."""
    if capacity.rate is None:
        return
    of, today = _conditions(name, topology), datetime.now(UTC).date().isoformat()
    entries = [e for e in _entries(folder) if e.get("of") != of]
    entries.append({"of": of, "rate": capacity.rate, "why": capacity.why(), "on": today})
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / FILE, json.dumps(entries[-KEPT:], indent=1))


def measured(folder: Path = STATE) -> list[str]:
    """Return a sentence for each capacity that was measured on this kernel and these processors."""
    here = {"kernel": platform.release(), "processors": os.cpu_count()}
    return [
        f"{entry['of'].get('overlay')} over {len(entry['of'].get('cpus') or ())} hosts carried "
        f"{entry['rate']:g} Mbit/s on {entry['on']} ({entry['why']})"
        for entry in _entries(folder)
        if isinstance(entry["of"], dict) and here.items() <= entry["of"].items()
    ]


def _recorded(name: str, topology: Topology, rate: float, folder: Path) -> str:
    for entry in _entries(folder):
        if entry.get("of") == _conditions(name, topology) and rate > entry["rate"]:
            return (
                f"{name} at {rate:g} Mbit/s: this machine carried {entry['rate']:g} on {entry['on']} "
                f"({entry['why']}); above that, samples measure the machine "
                f"(--rate auto finds what it carries)"
            )
    return ""


def _modelled(name: str, overlay: Overlay, topology: Topology, rate: float) -> str:
    if not overlay.user_space:
        return ""
    daemons = _longest(topology) + 1 if overlay.hops == "overlay" else 2
    needed, there = rate / 1000 * USER_SPACE * daemons, os.cpu_count() or 1
    if needed <= there:
        return ""
    return (
        f"{name} at {rate:g} Mbit/s: {daemons} daemons in a row that carry packets in user space need "
        f"{needed:.1f} processors at least, and this machine has {there}. The machine will limit "
        "throughput, and samples are marked ('lab capacity' measures its limit, --rate auto uses it)"
    )


def _longest(topology: Topology) -> int:
    """Hops from the first host to the farthest that it reaches: experiments begin there."""
    first, most = topology.hosts[0].name, 0
    for host in topology.hosts[1:]:
        with suppress(TopologyError):  # another part of the network
            most = max(most, topology.hops(first, host.name))
    return most


def _conditions(name: str, topology: Topology) -> dict[str, Any]:
    """The conditions that a capacity holds for: overlay, network without its rates, kernel, processors."""
    return {
        "overlay": name,
        "links": sorted(f"{link.name} {link.rtt:g}" for link in topology.links),
        "cpus": sorted(f"{host.name} {host.cpus}" for host in topology.hosts),
        "kernel": platform.release(),
        "processors": os.cpu_count(),
    }


def _entries(folder: Path) -> list[dict[str, Any]]:
    try:
        stored = json.loads((folder / FILE).read_text())
        return [e for e in stored if isinstance(e, dict) and {"of", "rate", "why", "on"} <= e.keys()]
    except (OSError, ValueError, TypeError):
        return []
