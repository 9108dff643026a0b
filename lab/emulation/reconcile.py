"""From a running lab to the requested one: new, removed and changed hosts and links.

Pure: nothing is done here. What is the same on both sides is not touched, and a host or link that
stays keeps its number, its addresses and its interfaces.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from lab.emulation.links.link import DIRECTIONS, LinkState, Wiring
from lab.topology import Topology
from lab.topology.impairments import PARAMETERS
from lab.topology.specs import HostSpec, LinkSpec


@dataclass(frozen=True)
class Reshaping:
    """New values for some parameters of a link, by direction (``ab``, ``ba``)."""

    link: str
    values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Difference:
    """The steps that lead to `topology`, in this order.

    A host whose image changed, or whose container died, goes and comes; so does a link whose MTU
    changed, and every link of such a host.
    """

    topology: Topology
    links_removed: tuple[LinkSpec, ...] = ()
    hosts_removed: tuple[str, ...] = ()
    hosts_added: tuple[HostSpec, ...] = ()
    links_added: tuple[LinkSpec, ...] = ()
    reshaped: tuple[Reshaping, ...] = ()
    links_up: tuple[str, ...] = ()
    cpus: Mapping[str, float | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self) if one.name != "topology")

    def summary(self) -> list[str]:
        """One line for each change, for people."""
        added = {host.name for host in self.hosts_added}
        again = {link.name for link in self.links_added} & {link.name for link in self.links_removed}
        lines = [f"- host {name}" for name in self.hosts_removed if name not in added]
        lines += [f"- link {link.name}" for link in self.links_removed if link.name not in again]
        for host in self.hosts_added:
            sign, more = ("~", ": made anew") if host.name in self.hosts_removed else ("+", "")
            lines.append(f"{sign} host {host.name} ({host.site}){more}")
        for link in self.links_added:
            rate = f", {link.rate:g} Mbit/s" if link.rate else ""
            sign, more = ("~", ": made anew") if link.name in again else ("+", "")
            lines.append(f"{sign} link {link.name} ({link.rtt:g} ms{rate}){more}")
        lines += [f"~ link {name}: up again" for name in self.links_up]
        for change in self.reshaped:
            lines += _reshaping_summary(change)
        lines += [f"~ host {name}: cpus={value or 'all'}" for name, value in self.cpus.items()]
        return lines


def _reshaping_summary(change: Reshaping) -> list[str]:
    """One line for both directions where they get the same."""
    texts = {d: ", ".join(f"{key}={_text(v)}" for key, v in one.items()) for d, one in change.values.items()}
    if len(texts) == len(DIRECTIONS) and len(set(texts.values())) == 1:
        return [f"~ link {change.link}: {texts[DIRECTIONS[0]]} each way"]
    return [f"~ link {change.link} ({direction}): {text}" for direction, text in texts.items()]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value or "none")


def difference(
    running: Topology,
    wanted: Topology,
    *,
    links: Sequence[LinkSpec],
    states: Mapping[str, LinkState],
    alive: Collection[str],
) -> Difference:
    """Compare a lab that runs with the topology that is wanted.

    Args:
        running: the topology that the lab was last brought to.
        wanted: the new one, numbered in any way.
        links: the links that there are.
        states: what is asked of them now, by name: a link may have been changed while it ran.
        alive: the hosts that run.
    """
    target = wanted.numbered_like(running)
    new, old = {h.name: h for h in target.hosts}, {h.name: h for h in running.hosts}
    stay = {name for name in alive if name in new and name in old and _same_host(old[name], new[name])}
    now, then = ({frozenset((link.a, link.b)): link for link in side} for side in (links, target.links))
    kept = {ends for ends in now.keys() & then.keys() if ends <= stay and _same_link(now[ends], then[ends])}
    staying = [
        (then[ends], states[link.name]) for ends, link in now.items() if ends in kept and link.name in states
    ]
    return Difference(
        topology=target,
        links_removed=tuple(link for ends, link in now.items() if ends not in kept),
        hosts_removed=tuple(name for name in old if name not in stay),
        hosts_added=tuple(host for host in target.hosts if host.name not in stay),
        links_added=tuple(link for ends, link in then.items() if ends not in kept),
        reshaped=tuple(change for link, state in staying if (change := _reshaping(link, state))),
        links_up=tuple(link.name for link, state in staying if state.down),
        cpus={name: new[name].cpus for name in sorted(stay) if new[name].cpus != old[name].cpus},
    )


def _same_host(old: HostSpec, new: HostSpec) -> bool:
    """Tell if a host can stay; how many CPUs it has can be changed while it runs."""
    return (old.number, old.site, old.image) == (new.number, new.site, new.image)


def _same_link(old: LinkSpec, new: LinkSpec) -> bool:
    """Tell if a link can stay; all other settings can change while it runs."""
    return (old.name, old.number, old.mtu, old.subnet) == (new.name, new.number, new.mtu, new.subnet)


def _reshaping(link: LinkSpec, running: LinkState) -> Reshaping | None:
    wanted, values = Wiring(link, 0, 0).state, {}
    for direction in DIRECTIONS:
        now, then = running.shape(direction), wanted.shape(direction)
        if changed := {p: getattr(then, p) for p in PARAMETERS if getattr(now, p) != getattr(then, p)}:
            values[direction] = changed
    return Reshaping(link.name, values) if values else None
