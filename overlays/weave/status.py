"""Reading a Weave router's own report (``GET /report`` as JSON)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NO_ROUTE = "no route to"


@dataclass(frozen=True)
class Connection:
    """A connection of a router: its peer's address, state, and what carries its packets."""

    address: str
    state: str
    mode: str
    mtu: int
    encrypted: bool
    info: str

    @property
    def established(self) -> bool:
        return self.state == "established"


@dataclass(frozen=True)
class Report:
    """What one router says of itself; `routes` maps a router's name to the neighbour on the way to it."""

    name: str
    version: str
    ready: bool
    connections: tuple[Connection, ...]
    routes: Mapping[str, str]

    def lacking(self, peers: Iterable[str], names: Iterable[str], mode: str) -> str:
        """What is missing until every peer is connected and every name has a route; "" when nothing is."""
        up = {c.address for c in self.connections if c.established}
        words = [f"{peer} {self._said(peer)}" for peer in peers if peer not in up]
        missing = sorted(set(names) - set(self.routes) - {self.name})
        words += [f"{NO_ROUTE} {', '.join(missing)}"] if missing else []
        if not words and mode == "fastdp":
            words += [f"{c.address} runs in {c.mode}, not fastdp" for c in self.connections if c.mode != mode]
        if not words and any(c.mtu > 60_000 for c in self.connections):
            words.append("the path MTU is not verified yet")
        return "; ".join(words or ([] if self.ready else ["not ready"]))

    def _said(self, peer: str) -> str:
        of_peer = [f"{c.state}: {c.info}" for c in self.connections if c.address == peer]
        return ", ".join(of_peer) or "not connected"

    def carried(self, peer: str) -> str:
        """What carries packets to a neighbour: ``sleeve``, ``fastdp``, or the state of what is not up."""
        of_peer = sorted(
            (c for c in self.connections if c.address == peer), key=lambda c: c.established, reverse=True
        )
        return (of_peer[0].mode or of_peer[0].state) if of_peer else "not connected"

    def multihop(self) -> dict[str, str]:
        """The routers that are reached by way of another one (Via ≠ Dest), and by which."""
        return {dest: via for dest, via in self.routes.items() if via not in (dest, "00:00:00:00:00:00")}


def parse(report: Mapping[str, Any]) -> Report:
    """The parts of a report that the lab reads."""
    router = report.get("Router") or {}
    return Report(
        name=router.get("Name", ""),
        version=report.get("Version", ""),
        ready=bool(report.get("Ready")),
        connections=tuple(_connection(c) for c in router.get("Connections") or ()),
        routes={r["Dest"]: r["Via"] for r in router.get("UnicastRoutes") or ()},
    )


def _connection(said: Mapping[str, Any]) -> Connection:
    attributes = said.get("Attrs") or {}
    return Connection(
        address=str(said.get("Address", "")).rsplit(":", 1)[0],
        state=str(said.get("State", "")),
        mode=str(attributes.get("name", "")),
        mtu=int(attributes.get("mtu", 0)),
        encrypted=bool(attributes.get("encrypted", False)),
        info=str(said.get("Info", "")),
    )


def summary(carried: Mapping[str, str]) -> str:
    """``10 fastdp``, or ``8 fastdp, AMS→192.168.1.2 sleeve, …``: whatever is not of the best kind by name."""
    best = next((mode for mode in ("fastdp", "sleeve") if mode in carried.values()), "")
    odd = [f"{ends} {mode}" for ends, mode in carried.items() if mode != best]
    return ", ".join([*([f"{len(carried) - len(odd)} {best}"] if best else []), *odd])
