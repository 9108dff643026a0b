"""The process of a verb: root's rights, and the signals that end it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from lab.errors import ExitCode, MachineError

T = TypeVar("T")


def need_root(verb: str, arguments: str = "…") -> None:
    """Check that this process runs as root.

    Raises:
        MachineError: it is not; says what to type, with these arguments.
    """
    if os.geteuid() != 0:
        raise MachineError(f"{verb} needs root: sudo {sys.executable} -m lab {verb} {arguments}".rstrip())


def wait(work: Coroutine[Any, Any, T], aftermath: str = "") -> T:
    """Return the work's result. A signal ends the work, which cleans up; then `aftermath` is printed.

    Raises:
        SystemExit: a signal came.
    """
    from lab.util.signals import cancel_on_signal

    try:
        return asyncio.run(cancel_on_signal(work))
    except asyncio.CancelledError:
        print("; ".join(filter(None, ("lab: interrupted", aftermath))), file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)
