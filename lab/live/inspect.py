"""A look at running labs: processes, dead processes with the reason, and links. Within half a second.

Nothing is run on a host: control groups, process tables and port counters are read, one echo goes
over every link, and each host's Docker is asked over its socket for its containers.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from typing import Any

from lab.emulation.docker import daemon
from lab.emulation.links import icmp, netns
from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.emulation.links.shaper import Shaper
from lab.emulation.registry import HostRecord, Record
from lab.emulation.shaper_choice import find as find_shaper
from lab.hosts.daemons import LOGS, PIDS, STARTED
from lab.live import host_files
from lab.live.enter import endpoints
from lab.measure.cgroups import folders, memory, read_cpu

#: How long traffic and CPU are watched at least, and echoes waited for at most (s).
LEAST, MOST = 0.1, 1.0
#: What the path itself may add to a link's round trip (s).
ROOM = 0.03
#: How long a host's Docker may take to answer (s).
DOCKER_PATIENCE = 1.0


def look(record: Record) -> dict[str, Any]:
    """All that can be seen of a lab now, in values that JSON holds; times in ms, rates in Mbit/s."""
    status: dict[str, Any] = {
        "name": record.name,
        "id": record.lab_id,
        "since": record.created,
        "state": state(record),
        "shaper": None,
        "hosts": [],
        "links": [],
        "overlays": [],
    }
    if record.rebooted or record.damaged:
        status["hosts"] = [{"name": host.name, "site": host.site, "up": False} for host in record.hosts]
        return status
    living = {host.name: host for host in record.hosts if host.process.alive()}
    shaper = (
        find_shaper(record.shaper)(record.lab_id, record.state.folder / "shaper") if record.shaper else None
    )
    states = dict(shaper.states) if shaper else {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        inner = {
            name: pool.submit(_containers, record, host)
            for name, host in living.items()
            if not (host.confined or host.light)
        }
        began, before = monotonic(), _counters(record, living)
        rtts = icmp.sweep(_sweep_targets(record, states, living), _patience(states))
        sleep(max(0.0, LEAST - (monotonic() - began)))
        seconds, after = monotonic() - began, _counters(record, living)
        containers = {name: one.result() for name, one in inner.items()}
    moved = {key: (after[key] - before[key]) / seconds for key in after if key in before}
    status["shaper"] = _shaper(shaper, record) if shaper else None
    status["hosts"] = [_host(record, host, living, moved, containers) for host in record.hosts]
    status["links"] = [_link(link, states, rtts, moved) for link in record.links]
    status["overlays"] = [
        {"name": one.spec, "mode": one.mode, "hosts": list(one.hosts), "endpoints": list(one.endpoints)}
        for one in record.overlays
    ]
    return status


def state(record: Record) -> str:
    """In a few words: up, whose, or what became of it."""
    owner = record.state.owner()
    if record.damaged:
        return f"its record is damaged: {record.damaged}; 'lab down {record.name}' removes the rest"
    if record.rebooted:
        return f"ended when this machine was restarted; 'lab down {record.name}' removes the rest"
    if record.state.stays():
        return "up"
    if owner is not None and owner.alive():
        return f"belongs to process {owner.pid} ({record.state.command})"
    return "half made or half removed by a command that was killed; 'lab cleanup' removes it"


def _patience(states: Mapping[str, LinkState]) -> float:
    longest = max((one.ab.delay + one.ba.delay for one in states.values()), default=0.0)
    return min(MOST, 1.2 * longest / 1e3 + ROOM)


def _sweep_targets(
    record: Record, states: Mapping[str, LinkState], living: Mapping[str, HostRecord]
) -> dict[str, icmp.SweepTarget]:
    return {
        link["name"]: icmp.SweepTarget(netns.path(living[link["a"]].pid), link["address_b"])
        for link in record.links
        if link["a"] in living and link["b"] in living and not states.get(link["name"], LinkState("", 0)).down
    }


def _counters(record: Record, living: Mapping[str, HostRecord]) -> dict[str, float]:
    """Seconds of CPU by host that has a control group, and bytes by port of the lab's namespace."""
    counters = {
        f"cpu {name}": read_cpu(folders(membership(host), host.container_id)).seconds
        for name, host in living.items()
        if not host.light
    }
    namespace = {"ports": netns.path(netns.of_lab(record.lab_id))}
    text = netns.in_each(namespace, lambda _: Path("/proc/thread-self/net/dev").read_text()).get("ports", "")
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        counters[f"out {name.strip()}"] = float(numbers.split()[8])
    return counters


def membership(host: HostRecord) -> str:
    """The control groups of a host's first process, as the kernel lists them; "" where it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{host.pid}/cgroup").read_text()
    return ""


def _host(
    record: Record,
    host: HostRecord,
    living: Mapping[str, HostRecord],
    moved: Mapping[str, float],
    containers: Mapping[str, Mapping[str, str] | None],
) -> dict[str, Any]:
    status: dict[str, Any] = {"name": host.name, "site": host.site, "addresses": list(host.addresses)}
    if host.name not in living:
        return {**status, "up": False, "why": end_of(host)}
    used = None if host.light else memory(membership(host), host.container_id)
    return {
        **status,
        "up": True,
        "cpus": None if host.light else round(moved.get(f"cpu {host.name}", 0.0), 3),
        "memory_mib": None if used is None else round(used / 2**20, 1),
        "dead": [*dead_daemons(host), *_dead_endpoints(record, host, containers.get(host.name))],
    }


def end_of(host: HostRecord) -> str:
    """The reason why a host ended; for a container, from Docker."""
    if host.light:
        return "its first process was killed"
    form = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.FinishedAt}}"
    argv = ["docker", "inspect", "--format", form, host.container]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "Docker does not answer"
    if done.returncode:
        return "its container was removed" if "No such" in done.stderr else "Docker does not answer"
    status, code, memory_ran_out, when = done.stdout.split(maxsplit=3)
    if status == "running":
        return "its container was restarted outside the lab"
    reason = {"137": "it was killed", "143": "a signal ended it"}.get(code, f"it ended with status {code}")
    more = ", as it ran out of memory" if memory_ran_out == "true" else ""
    return f"{reason}{more}, at {when.split('.')[0]}"


def dead_daemons(host: HostRecord) -> list[str]:
    """The daemons of overlays that no longer run on a host, each with the end of its log."""
    dead = []
    for file in host_files.names(host.process, PIDS, ".pid"):
        name = file.removesuffix(".pid")
        if not name.startswith("watch-") and ended(host, name):
            dead.append(f"{name} died: {last_words_of(host, name)}")
    return dead


def last_words_of(host: HostRecord, name: str) -> str:
    """The last line of a daemon's log on a host."""
    return _last_words(host_files.read_end(host.process, f"{LOGS}/{name}.log"))


def ended(host: HostRecord, name: str) -> bool:
    """True when the process whose id a daemon's file has is gone, or is another one by now."""
    pid = host_files.read_end(host.process, f"{PIDS}/{name}.pid").strip()
    if not pid.isdigit():
        return False
    fields = host_files.read_end(host.process, f"/proc/{pid}/stat").rpartition(")")[2].split()
    noted = host_files.read_end(host.process, f"{PIDS}/{name}{STARTED}").strip()
    return len(fields) < 20 or fields[0] == "Z" or bool(noted and fields[19] != noted)


def _last_words(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def _containers(record: Record, host: HostRecord) -> dict[str, str] | None:
    """The containers on a host and what Docker says of each; None where it does not answer."""
    # what a host's daemon says may be anything
    with suppress(OSError, ValueError, HTTPException, LookupError, TypeError, AttributeError):
        wanted = any(end["host"] == host.name for end in endpoints(record))
        path = "/containers/json?all=1" if wanted else "/_ping"
        reply = daemon.get(record.state.shared(host.number) / "docker.sock", path, DOCKER_PATIENCE)[1]
        listed = json.loads(reply) if wanted else []
        return {one["Names"][0].lstrip("/"): f"{one['State']}: {one['Status']}" for one in listed}
    return None


def _dead_endpoints(record: Record, host: HostRecord, there: Mapping[str, str] | None) -> list[str]:
    wanted = {end["container"]: end for end in endpoints(record) if end["host"] == host.name}
    if host.light:
        there = {name: endpoint_state(host, end["script"]) for name, end in wanted.items()}
    if there is None:
        return [] if host.confined else ["its Docker daemon does not answer"]
    states = {name: there.get(name, "gone: it was removed") for name in wanted}
    return [f"endpoint {name} {state}" for name, state in states.items() if not state.startswith("running")]


def endpoint_state(host: HostRecord, script: str) -> str:
    """The state of an endpoint that is a process on a host: its folder, where the script is, says which."""
    words = host_files.read_end(host.process, str(PurePosixPath(script).with_name("process"))).split()
    if len(words) != 2 or not words[0].isdecimal():
        return "gone: it was removed"
    pid, started = words
    fields = host_files.read_end(host.process, f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) > 19 and fields[19] == started and fields[0] not in "ZX":
        return "running"
    return "died: its process has ended"


def _link(
    link: Mapping[str, Any],
    states: Mapping[str, LinkState],
    rtts: Mapping[str, float],
    moved: Mapping[str, float],
) -> dict[str, Any]:
    now = states.get(link["name"])
    status: dict[str, Any] = {
        "name": link["name"],
        "a": link["a"],
        "b": link["b"],
        "up": now is not None,
    }
    if now is None:
        return status
    rtt = rtts.get(link["name"])
    return {
        **status,
        "up": not now.down,
        "asked_rtt_ms": round(now.ab.delay + now.ba.delay, 4),
        "rtt_ms": None if rtt is None else round(rtt, 3),
        "asked_mbit": {d: now.shape(d).rate for d in DIRECTIONS},
        "mbit": {d: round(moved.get(f"out {now.port_out(d)}", 0.0) * 8 / 1e6, 3) for d in DIRECTIONS},
        "loss": {d: now.shape(d).loss for d in DIRECTIONS},
    }


def _shaper(shaper: Shaper, record: Record) -> dict[str, Any]:
    dead = [one.pid for one in shaper.processes if not one.alive()]
    status: dict[str, Any] = {"name": shaper.name, "up": not dead}
    if not Path(netns.path(netns.of_lab(record.lab_id))).exists():
        return {**status, "up": False, "why": "the links' namespace was removed"}
    if dead:
        log = record.state.folder / "shaper" / "wire.log"
        said = log.read_text(errors="replace") if log.exists() else ""
        status["why"] = f"process {dead[0]} died: {_last_words(said)}"
    return status
