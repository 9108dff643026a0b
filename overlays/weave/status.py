"""A Weave router's own report (``GET /report`` as JSON): its connections and routes."""

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
    """A router's report; `routes` maps a router's name to the neighbour on the way to it."""

    name: str
    version: str
    ready: bool
    connections: tuple[Connection, ...]
    routes: Mapping[str, str]

    def lacking(self, peers: Iterable[str], names: Iterable[str], mode: str) -> str:
        """Return what is missing until every peer is connected and every name has a route, or ""."""
        up = {c.address for c in self.connections if c.established}
        words = [f"{peer} {self._state(peer)}" for peer in peers if peer not in up]
        missing = sorted(set(names) - set(self.routes) - {self.name})
        words += [f"{NO_ROUTE} {', '.join(missing)}"] if missing else []
        if not words and mode == "fastdp":
            words += [f"{c.address} runs in {c.mode}, not fastdp" for c in self.connections if c.mode != mode]
        if not words and any(c.mtu > 60_000 for c in self.connections):
            words.append("the path MTU is not verified yet")
        return "; ".join(words or ([] if self.ready else ["not ready"]))

    def _state(self, peer: str) -> str:
        of_peer = [f"{c.state}: {c.info}" for c in self.connections if c.address == peer]
        return ", ".join(of_peer) or "not connected"

    def multihop(self) -> dict[str, str]:
        """Return the routers that are reached by way of another one (Via ≠ Dest), and by which."""
        return {dest: via for dest, via in self.routes.items() if via not in (dest, "00:00:00:00:00:00")}


def parse(report: Mapping[str, Any]) -> Report:
    """Read a report."""
    router = report.get("Router") or {}
    return Report(
        name=router.get("Name", ""),
        version=report.get("Version", ""),
        ready=bool(report.get("Ready")),
        connections=tuple(_connection(c) for c in router.get("Connections") or ()),
        routes={r["Dest"]: r["Via"] for r in router.get("UnicastRoutes") or ()},
    )


def _connection(entry: Mapping[str, Any]) -> Connection:
    attributes = entry.get("Attrs") or {}
    return Connection(
        address=str(entry.get("Address", "")).rsplit(":", 1)[0],
        state=str(entry.get("State", "")),
        mode=str(attributes.get("name", "")),
        mtu=int(attributes.get("mtu", 0)),
        encrypted=bool(attributes.get("encrypted", False)),
        info=str(entry.get("Info", "")),
    )
