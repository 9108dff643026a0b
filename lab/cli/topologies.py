"""Topologies as verbs take them; notes and warnings about them go to standard error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lab import catalog
from lab.errors import DslError
from lab.events import Event, Note
from lab.topology import Topology, sites
from lab.util.documents import printable

if TYPE_CHECKING:
    from lab.dsl.gts_rules import Limit


def read_topology(
    name_or_file: str,
    site: Sequence[str] | None = None,
    largest_component: bool = False,
    *,
    rate: float | None = None,
    switches: bool = False,
) -> Topology:
    """Return the topology that the user named; see `lab.catalog.topology`.

    Args:
        name_or_file: the argument, as the user wrote it.
        site: values of ``--site``.
        largest_component: reduce a graph to what a topology can hold.
        rate: of every link, Mbit/s, in place of what the topology says.
        switches: let the switches of a testbed document pass, which no emulation can build.
    """
    topology = catalog.topology(
        name_or_file,
        places=sites.parse_all(site or ()),
        largest_component=largest_component,
        switches=switches,
        emit=tell,
    )
    return topology if rate is None else topology.with_rate(rate)


def counted(number: int, word: str) -> str:
    """Return a number of things in words: ``1 link``, ``2 links``."""
    return f"{number} {word}{'s' * (number != 1)}"


def tell(event: Event) -> None:
    """Print notes on standard error: standard output may be a document."""
    if isinstance(event, Note):
        typer.echo(printable(event.text), err=True)


def warn_of_limits(topology: str, limits: list[Limit], strict: bool) -> None:
    """Print one line for each kind of limit on standard error.

    Raises:
        DslError: there are any, and `strict` is set.
    """
    counts = Counter(limit.name for limit in limits)
    first = {limit.name: limit.text for limit in reversed(limits)}
    for name in sorted(counts):
        more = f" (and {counts[name] - 1} more)" if counts[name] > 1 else ""
        typer.echo(printable(f"warning: {name}: {first[name]}{more}"), err=True)
    if strict and limits:
        kinds = ", ".join(sorted(counts))
        count = counted(len(limits), "limit")
        raise DslError(f"{topology} runs into {count} of the service ({kinds}) and --strict is set")
