"""Echoes between all endpoints of a lab that is up."""

from __future__ import annotations

from lab.live import ping_all
from lab.live.ping_all import Pair
from lab.live.session import Session


async def ping_endpoints(session: Session, overlay: str = "", count: int = 3) -> dict[str, list[Pair]]:
    """Let endpoints echo each other `count` times, by overlay; without overlays, hosts their neighbours.

    `overlay` is one of the lab's; all of them by default.

    Raises:
        UnknownName: the lab has no such overlay.
    """
    specs = [session.spec(overlay)] if overlay else session.specs
    if not specs:
        return {"links": await ping_all.links(session.lab, count)}
    pairs = {}
    for spec in specs:
        endpoints = session.endpoints(spec)
        pairs[spec] = await ping_all.endpoints(endpoints, session.pairs(endpoints), count)
    return pairs
