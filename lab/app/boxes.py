"""All that boxes of virtual time need of this machine, and the order that every one of them gets."""

from __future__ import annotations

import compileall
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.emulation.light.hosts import image_roots
from lab.errors import BoxError
from lab.events import Emit
from lab.images import roots
from lab.virtual import cost, kernel
from lab.virtual.box import Order, missing_programs
from lab.virtual.kernel import Kernel
from overlays.base import Overlay

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lab", "overlays", "experiments", "topologies")
#: The folder in a box that is the lab's own there, as `lab.util.paths.STATE` is here.
STATE_INSIDE = "/run/state"
#: Set inside a box.
IN_BOX = "LAB_IN_BOX"
#: The variable that says where programs that were built are kept.
CACHE = "XDG_CACHE_HOME"


def prepare(overlays: Sequence[Overlay], emit: Emit) -> Kernel:
    """Make what boxes need and cannot get for themselves: the kernel, root file systems, programs.

    Raises:
        BoxError: this machine cannot have boxes.
        MachineError: the kernel or the images cannot be made here; says what to do.
    """
    if missing := missing_programs():
        raise BoxError(f"virtual time needs {', '.join(missing)}; install them")
    made = kernel.ensure(emit)
    image_roots(emit)
    for overlay in overlays:
        if overlay.obtainable() is None:
            overlay.fetch()
    compile_modules()
    return made


def compile_modules(root: Path = ROOT) -> None:
    """Compile the lab's modules, so that every box finds them alike: two runs of one seed, the first of
    which compiled some, were apart by tenths of a microsecond. In a folder that is read-only, each box
    compiles them for itself.
    """
    for package in PACKAGES:
        compileall.compile_dir(root / package, quiet=2)


def programs_by_name() -> dict[str, str]:
    """Return the variables of this process by which overlays find their programs; the same hold inside.

    Only such that name a file: others may be secret, and an order is stored with its run.
    """
    named = {name: value for name, value in os.environ.items() if name.startswith("LAB_")}
    found = {name: value for name, value in named.items() if Path(value).is_file()}
    return {**found, **({CACHE: os.environ[CACHE]} if CACHE in os.environ else {})}


def order(argv: Sequence[str], costs: Mapping[str, float], directory: Path = ROOT, **more: str) -> Order:
    """Return the order to run Python with these arguments; the rest of it is the same for every box.

    `costs` (µs) are prices of work, and `more` are further variables.
    """
    programs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{programs}",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TMPDIR": "/run/tmp",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "LAB_STATE_DIR": STATE_INSIDE,
        IN_BOX: "1",
        **programs_by_name(),
        **more,
    }
    return Order(
        argv=[sys.executable, *argv],
        directory=str(directory),
        environment=environment,
        parameters=cost.parameters(costs),
        links={f"{STATE_INSIDE}/{roots.place().name}": str(roots.place())},
    )
