"""Choice of a shaper: the existing ones, the settings that each supports, and the one for this machine."""

from __future__ import annotations

from collections.abc import Sequence

from lab.emulation.links import queue_memory
from lab.emulation.links.link import Wiring
from lab.emulation.links.netem import Netem
from lab.emulation.links.shaper import ABILITIES, Shaper, refuse
from lab.emulation.wire.wire import Wire
from lab.errors import MachineError, UnknownName
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.topology import LinkSpec
from lab.topology.impairments import MEANINGS

#: All shapers, the preferred one first.
SHAPERS: tuple[type[Shaper], ...] = (Netem, Wire)
AUTO = "auto"


def find(name: str) -> type[Shaper]:
    """Return the shaper of this name, not tried.

    Raises:
        UnknownName: no shaper has this name.
    """
    for shaper in SHAPERS:
        if shaper.name == name:
            return shaper
    raise UnknownName("shaper", name, [*ABILITIES, AUTO])


async def choose(name: str = AUTO, run: RunCommand = command.run) -> type[Shaper]:
    """Return the shaper that this machine can have: netem, then the wire; or the one that is named.

    Raises:
        UnknownName: no shaper has this name.
        MachineError: it, or neither, can be had; says why for each, and what to do.
    """
    reasons = []
    for shaper in SHAPERS if name == AUTO else [find(name)]:
        reason = await shaper.probe(run)
        if reason is None:
            return shaper
        reasons.append(f"{shaper.name}: {reason}")
    raise MachineError(
        f"links cannot be shaped on this machine, so none is built ({'; '.join(reasons)}); "
        f"the box of the Vagrantfile has a kernel with netem"
    )


def check_links(shaper: type[Shaper], links: Sequence[LinkSpec]) -> None:
    """Check, before anything is made, that a shaper can impose what links ask for.

    Raises:
        ShaperError: as `Shaper.apply`, or the links need more memory than there is.
    """
    states = [Wiring(link, link.a, link.b).state for link in links]
    refuse(shaper.name, states)
    queue_memory.check(states)


def abilities_table() -> str:
    """Return which shaper can impose what, as the table of ``docs/explanation/links-and-shapers.md``."""
    rows = [["parameter", *ABILITIES, "unit and meaning, per direction"]]
    rows += [["---"] * len(rows[0])]
    for name, meaning in MEANINGS.items():
        rows.append([f"`{name}`", *("yes" if name in can else "no" for can in ABILITIES.values()), meaning])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
