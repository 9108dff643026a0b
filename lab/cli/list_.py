"""lab list: the topologies, overlays and experiments that can be named."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.errors import UnknownName

KINDS = ("topologies", "overlays", "experiments")


def command(
    kind: Annotated[
        str | None, typer.Argument(help="topologies, overlays or experiments; all when left out.")
    ] = None,
) -> None:
    """Say which topologies, overlays and experiments there are.

    Example: python -m lab list overlays
    """
    from lab import catalog

    if kind is not None and kind not in KINDS:
        raise UnknownName("kind of thing to list", kind, KINDS)
    for package in (kind,) if kind else KINDS:
        if kind is None:
            typer.echo(f"{package}:")
        for name in catalog.names(package):
            typer.echo(f"  {name:<16} {_summary(package, name)}")


def _summary(package: str, name: str) -> str:
    """The first line of the module's docstring."""
    from lab import catalog

    return (catalog.load(package, name).__doc__ or "").strip().split("\n", 1)[0]
