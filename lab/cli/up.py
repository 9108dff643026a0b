"""lab up: bring a lab up and leave it running, or bring one that runs to another topology."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import Daemons, LargestComponent, Rate, ShaperName, Sites
from lab.cli.process import need_root, wait
from lab.cli.topologies import counted, read_topology
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.emulation.registry import Record
    from lab.events import Emit
    from lab.topology import Topology


def command(
    topology: Annotated[str, typer.Argument(help="Name or file of a topology; 'lab list topologies'.")],
    overlay: Annotated[
        list[str] | None,
        typer.Option("--overlay", help="NAME[:option=value,…], with an endpoint per host. Repeat for more."),
    ] = None,
    name: Annotated[
        str, typer.Option("--lab", "-l", "--name", "-n", help="Name of the lab. Default: the topology's.")
    ] = "",
    rate: Rate = None,
    site: Sites = None,
    largest_component: LargestComponent = False,
    shaper: ShaperName = "auto",
    daemons: Daemons = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done. Do nothing.")] = False,
) -> None:
    """Build a lab and leave it up.

    Needs root. It returns when everything is ready. If a lab with this name is up already, it shows
    the differences and changes only those.

    Example: sudo lab up linear --lab class --rate 100 --overlay flannel
    """
    wanted = read_topology(topology, site, largest_component, rate=rate)
    called = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted.name).strip("-")
    need_root("up", topology)
    settings = {"name": called, "shaper": shaper, "daemons": daemons}
    _run(wanted, tuple(overlay) if overlay else None, settings, dry_run)


def _run(wanted: Topology, overlays: tuple[str, ...] | None, settings: Mapping[str, str], plan: bool) -> None:
    from lab.cli.console import progress
    from lab.emulation.registry import records
    from lab.live.session import obtainable

    name = settings["name"]
    for spec in overlays or ():
        obtainable(spec)
    there = next((record for record in records() if name in (record.name, record.lab_id)), None)
    with progress() as emit:
        if there is not None:
            _refuse_other_daemons(there, settings["daemons"])
            _change(there, wanted, overlays, plan, emit)
        elif plan:
            hosts, links = counted(len(wanted.hosts), "host"), counted(len(wanted.links), "link")
            print(f"lab {name} would be made: {hosts}, {links}")
            print("\n".join(_overlay_changes((), overlays)), end="\n" * bool(overlays))
        else:
            wait(_make(wanted, overlays or (), settings, emit))
    if there is None and not plan:
        print(f"lab {name} is up; 'lab ps {name}' shows it, 'lab down {name}' removes it")


async def _make(wanted: Topology, overlays: tuple[str, ...], settings: Mapping[str, str], emit: Emit) -> None:
    from lab.emulation.registry import DOCKER
    from lab.live.session import Session

    session = await Session.up(
        wanted,
        overlays,
        name=settings["name"],
        shaper=settings["shaper"],
        daemons=settings["daemons"] or DOCKER,
        emit=emit,
    )
    session.lab.keep()


def _refuse_other_daemons(there: Record, daemons: str) -> None:
    """Check that a lab that is up has the daemons that were asked for, if any were.

    Raises:
        LabError: hosts cannot get or lose their Docker daemons.
    """
    if daemons not in ("", there.daemons):
        raise LabError(
            f"lab {there.name} was made with --daemons {there.daemons}, which cannot change; "
            f"'lab down {there.name}' removes it"
        )


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
