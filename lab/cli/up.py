"""lab up: bring a lab up and leave it running, or bring one that runs to another topology."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import LargestComponent, Rate, ShaperName, Sites
from lab.cli.process import need_root, wait
from lab.cli.topologies import read_topology

if TYPE_CHECKING:
    from lab.emulation.registry import Record
    from lab.events import Emit
    from lab.topology import Topology


def command(
    topology: Annotated[str, typer.Argument(help="Name or file of a topology; 'lab list topologies'.")],
    overlay: Annotated[
        list[str] | None,
        typer.Option("--overlay", "-o", help="NAME[:option=value,…], an endpoint per host; again for more."),
    ] = None,
    name: Annotated[str, typer.Option("--name", "-n", help="What to call it; the topology's name.")] = "",
    rate: Rate = None,
    site: Sites = None,
    largest_component: LargestComponent = False,
    shaper: ShaperName = "auto",
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")] = False,
) -> None:
    """Bring a lab up and leave it running; returns when everything is ready. Needs root.

    On a name that is up already, shows what differs and changes only that: what stays is not touched.

    Example: sudo python -m lab up linear --name class --rate 100 --overlay flannel
    """
    wanted = read_topology(topology, site, largest_component, rate=rate)
    called = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted.name).strip("-")
    need_root("up", topology)
    _run(wanted, tuple(overlay) if overlay else None, called, shaper, plan)


def _run(wanted: Topology, overlays: tuple[str, ...] | None, name: str, shaper: str, plan: bool) -> None:
    from lab.cli.console import progress
    from lab.emulation.registry import records
    from lab.live.session import obtainable

    for spec in overlays or ():
        obtainable(spec)
    there = next((record for record in records() if name in (record.name, record.lab_id)), None)
    with progress() as emit:
        if there is not None:
            _change(there, wanted, overlays, plan, emit)
        elif plan:
            print(f"lab {name} would be made: {len(wanted.hosts)} hosts, {len(wanted.links)} links")
        else:
            wait(_make(wanted, overlays or (), name, shaper, emit))
    if there is None and not plan:
        print(f"lab {name} is up; 'lab ps {name}' shows it, 'lab down {name}' takes it away")


async def _make(wanted: Topology, overlays: tuple[str, ...], name: str, shaper: str, emit: Emit) -> None:
    from lab.live.session import Session

    session = await Session.up(wanted, overlays, name=name, shaper=shaper, emit=emit)
    session.lab.keep()


def _change(
    there: Record, wanted: Topology, overlays: tuple[str, ...] | None, plan: bool, emit: Emit
) -> None:
    from lab.cli.lab_lock import changing
    from lab.live.session import Session

    with changing(there, emit):
        session = Session.attach(there.lab_id, emit=emit)
        change = session.lab.compare(wanted)
        words = [*change.summary(), *_overlay_changes(session.specs, overlays)]
        print("\n".join(words or [f"lab {there.name} is as it is wanted"]))
        if words and not plan:
            wait(session.become(change, overlays))
            print(f"lab {there.name} is changed")


def _overlay_changes(there: tuple[str, ...], wanted: tuple[str, ...] | None) -> list[str]:
    """Return which overlays go and come, where any were named."""
    if wanted is None:
        return []
    go = [f"- overlay {spec}" for spec in there if spec not in wanted]
    return go + [f"+ overlay {spec}" for spec in wanted if spec not in there]
