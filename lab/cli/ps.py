"""lab ps: the labs of this machine, and how they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lab.emulation.record import Record


def command(
    name: Annotated[str, typer.Argument(help="Only this lab.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the labs that are up: whose they are, hosts, links, overlays.

    Example: python -m lab ps
    """
    from lab.emulation.record import find, records

    known = records()
    rows = [_row(record) for record in ([find(name, known)] if name else known)]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    if not rows:
        print("no lab is up")
    for row in rows:
        print(f"{row['name']}  {row['state']}  {row['hosts']} hosts, {row['links']} links")


def _row(record: Record) -> dict[str, Any]:
    return {
        "name": record.name,
        "id": record.lab_id,
        "state": _state(record),
        "since": record.created,
        "hosts": len(record.hosts),
        "links": len(record.links),
    }


def _state(record: Record) -> str:
    """In a few words: up, whose, or what became of it."""
    state = record.state
    if record.rebooted:
        return "gone with a restart of the machine"
    if state.stays():
        return "up"
    owner = state.owner()
    if owner is not None and owner.alive():
        return f"process {owner.pid}'s ({state.command})"
    return "its command was killed; 'lab cleanup' takes it away"
