"""The command that boots a kernel in virtual time, and the environment of its process."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.virtual.kernel import Kernel

#: The moment at which virtual time begins (ns since 1970): the same in each box, 2027-01-15 08:00 UTC.
START = 1_800_000_000 * 10**9
#: This machine's files are the root, read-only; what is printed goes to standard output.
FILES = ("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro")
CONSOLE = ("con0=null,fd:1", "con=null", "quiet", "panic=-1")
#: Programs run under seccomp where that works, twice as fast as under ptrace. Unknown to 6.12.
CLOCK = ("time-travel=inf-cpu", f"time-travel-start={START}", "seccomp=auto")


def argv(kernel: Kernel, memory: str, first: Sequence[str]) -> list[str]:
    """Build the command for a box with `memory` (like ``2G``) whose process 1 is `first`.

    `first` begins with the whole path of a program. What differs between two runs that shall be equal
    belongs into files and not here: process 1 has the words on its stack.
    """
    words = [*FILES, *CONSOLE, *CLOCK]
    return [str(kernel.program), f"mem={memory}", *words, f"init={first[0]}", "--", *first[1:]]


def environment(kernel: Kernel, seed: int, folder: Path) -> Mapping[str, str]:
    """Return the environment of the kernel's process; the box's programs do not see it.

    In `folder` the kernel makes ``.uml`` with its process id; it ends at once without such a place.
    """
    return {"PATH": os.defpath, "HOME": str(folder), **kernel.environment, "UM_SEED": str(seed)}
