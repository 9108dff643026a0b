"""The mode that Weave's routers run in, read from their own reports: sleeve, fastdp, or a mixture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from overlays.weave.status import Report


def read(reports: Mapping[str, Report], peers: Mapping[str, Iterable[str]], mtu: int) -> dict[str, str]:
    """Return what carries packets, whether they are encrypted, and the routers' version.

    Args:
        reports: of every router, by host.
        peers: the addresses of every host's neighbours.
        mtu: of the endpoints (bytes).
    """
    carriers = {
        f"{host}→{peer}": carrier(reports[host], peer) for host, of_host in peers.items() for peer in of_host
    }
    up = [c for report in reports.values() for c in report.connections if c.established]
    return {
        "mode": "+".join(sorted(set(carriers.values()))),
        "connections": summary(carriers),
        "encryption": "on" if up and all(c.encrypted for c in up) else "off",
        "mtu": str(mtu),
        "version": "+".join(sorted({report.version for report in reports.values()})),
    }


def carrier(report: Report, peer: str) -> str:
    """Return what carries packets to a neighbour: ``sleeve``, ``fastdp``, or the state of what is not up."""
    of_peer = sorted((c for c in report.connections if c.address == peer), key=lambda c: not c.established)
    return (of_peer[0].mode or of_peer[0].state) if of_peer else "not connected"


def summary(carriers: Mapping[str, str]) -> str:
    """Return ``10 fastdp``, or ``8 fastdp, AMS→192.168.1.2 sleeve, …``: the connections that are not of the
    best kind.
    """
    best = next((mode for mode in ("fastdp", "sleeve") if mode in carriers.values()), "")
    odd = [f"{ends} {mode}" for ends, mode in carriers.items() if mode != best]
    return ", ".join([*([f"{len(carriers) - len(odd)} {best}"] if best else []), *odd])
