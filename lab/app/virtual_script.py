"""A Python script in virtual time: it is begun again inside a box, and runs there to its end.

What it prints is printed here; what it writes to the folder that ``LAB_RESULTS`` names is kept. Everything
else that it could write to is the box's own and ends with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab.app import boxes
from lab.errors import LabError
from lab.events import Emit
from lab.util import invoker
from lab.util.files import make_folder
from lab.virtual import beats, first
from lab.virtual.box import BoxProcess

#: The variable that names where a script leaves what is to be kept; and the folder in which that is found.
RESULTS, KEPT = "LAB_RESULTS", Path("results")


def inside() -> bool:
    """Return True in a box."""
    return os.environ.get(boxes.IN_BOX) == "1"


def run(costs: Mapping[str, float], seed: int, emit: Emit) -> int:
    """Run the script that this process runs in a box, from its beginning; returns its exit status.

    Raises:
        LabError: this process runs no script in a file, or is not root.
        BoxError: the box did not come to its end.
    """
    script = Path(sys.argv[0]) if sys.argv else Path()
    if not script.is_file():
        raise LabError("clock='virtual' is for a script that runs to its end: save it to a file and run that")
    if os.geteuid() != 0:
        raise LabError("virtual time needs root: run the script with sudo")
    made = boxes.prepare((), emit)
    make_folder(KEPT)
    folder = Path(tempfile.mkdtemp(prefix=f"{script.stem}-virtual-", dir=KEPT)).resolve()
    (folder / "kept").mkdir()
    box = BoxProcess(made, folder, max(os.sched_getaffinity(0)), seed + 1, beats.say)
    argv = [str(script.resolve()), *sys.argv[1:]]
    order = boxes.order(argv, costs, Path.cwd(), **{RESULTS: f"{first.INSIDE}/kept"})
    try:
        return asyncio.run(box.run(order)).status
    finally:
        invoker.give_folder(folder)
