"""A topology in words: what a person wants to know before building it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import networkx as nx

from lab.errors import TopologyError
from lab.topology import LinkSpec, Topology
from lab.topology.impairments import DEFAULTS
from lab.util.documents import printable

#: Hosts up to which every pair's round trip is shown, and rows up to which all are.
MATRIX, ROWS = 12, 60


class SummaryTable(NamedTuple):
    """A table: its heading, the names of its columns, its rows."""

    heading: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def title(topology: Topology) -> str:
    """Write name, description and size on one line."""
    counts = {"host": topology.hosts, "link": topology.links, "site": topology.sites}
    size = ", ".join(f"{len(found)} {word}{'s' * (len(found) != 1)}" for word, found in counts.items())
    count = nx.number_connected_components(topology.graph)
    size += f", {count} parts" if count > 1 else ""
    return printable(f"{topology.name}: {topology.description or 'no description'} ({size})")


def parts(topology: Topology) -> Iterator[SummaryTable]:
    """Make tables of the hosts, the links and, when they are few, the round trips between all hosts."""
    hosts = [
        (
            str(host.number),
            host.name,
            f"{host.site} {topology.sites[host.site].city}" if host.site else "",
            host.kind if host.kind != "host" else "",
            f"{host.cpus:g}" if host.cpus is not None else "",
            host.image or "",
            " ".join(topology.addresses(host.name)),
        )
        for host in topology.hosts[:ROWS]
    ]
    yield _slim(
        SummaryTable("Hosts", ("no", "name", "site", "kind", "cpus", "image", "addresses"), hosts),
        len(topology.hosts),
    )
    links = [_link(link) for link in topology.links[:ROWS]]
    columns = ("no", "name", "RTT ms", "rate Mbit/s", "jitter ms", "loss %", "MTU", "also")
    yield _slim(SummaryTable("Links", (*columns, "subnet", "addresses"), links), len(topology.links))
    if topology.schedule:
        changes = [(f"{change.at:g}", str(change)) for change in topology.schedule[:ROWS]]
        yield _slim(SummaryTable("Schedule", ("s", "change"), changes), len(topology.schedule))
    if 1 < len(topology.hosts) <= MATRIX:
        yield _matrix(topology)


def _link(link: LinkSpec) -> tuple[str, ...]:
    return (
        str(link.number),
        link.name,
        f"{link.rtt:g}",
        f"{link.rate:g}" if link.rate is not None else "",
        f"{link.jitter:g}" if link.jitter else "",
        f"{link.loss:g}" if link.loss else "",
        str(link.mtu) if link.mtu != 1500 else "",
        "; ".join(_also(link)),
        link.subnet,
        f"{link.address_a} {link.address_b}",
    )


def _also(link: LinkSpec) -> Iterator[str]:
    """List what few links have: parameters without a column, and what one direction has of its own."""
    for name, usual in DEFAULTS.items():
        value = getattr(link, name)
        if name not in ("rate", "jitter", "loss") and value != usual:
            yield f"{name} {value}"
    for host, own in link.ways:
        yield f"from {host}: {', '.join(f'{name} {value}' for name, value in own)}"


def _slim(part: SummaryTable, count: int) -> SummaryTable:
    """Leave out columns that say nothing, and add a last row that counts the rows that are not shown."""
    kept = [n for n in range(len(part.columns)) if n < 2 or any(row[n] for row in part.rows)]
    rows = [tuple(row[n] for n in kept) for row in part.rows]
    if count > len(rows):
        rows.append(("…", f"and {count - len(rows)} more", *[""] * (len(kept) - 2)))
    return SummaryTable(part.heading, tuple(part.columns[n] for n in kept), rows)


def _matrix(topology: Topology) -> SummaryTable:
    names = [host.name for host in topology.hosts]
    rows = [(a, *(_way(topology, a, b) for b in names)) for a in names]
    way = "shortest path" if topology.routing == "delay" else "path with the fewest links"
    return SummaryTable(f"Expected round trip in ms, and hops, over the {way}", ("", *names), rows)


def _way(topology: Topology, a: str, b: str) -> str:
    if a == b:
        return "."
    try:
        return f"{topology.rtt(a, b):.2f} ({topology.hops(a, b)})"
    except TopologyError:
        return "apart"


def text(topology: Topology) -> str:
    """Write title and tables as plain aligned text."""
    lines = [title(topology)]
    for part in parts(topology):
        widths = [max(len(row[n]) for row in [part.columns, *part.rows]) for n in range(len(part.columns))]
        lines += ["", part.heading]
        for row in [part.columns, *part.rows]:
            lines.append(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            )
    return "\n".join(lines) + "\n"
