"""Clean-up at the end of a script that ends without `stop`.

A script that is killed outright gets no such chance; for that there is ``lab cleanup``.
"""

from __future__ import annotations

import atexit
import signal
import sys
import threading
from types import FrameType

from lab.emulation.cleanup import remove_in_subprocess
from lab.emulation.emulation import Emulation

#: Signals that end a Python program at once, unless somebody listens: a service manager's, and a lost
#: terminal's.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_running: list[Emulation] = []


def register(emulation: Emulation) -> None:
    """Remove this lab at the end of the process, unless it is gone by then."""
    _running.append(emulation)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _end)


def unregister(emulation: Emulation) -> None:
    """Forget a lab that is gone."""
    if emulation in _running:
        _running.remove(emulation)


def _end(number: int, frame: FrameType | None) -> None:
    """End in the ordinary way, with the status that a shell gives to a program that this signal ended."""
    sys.exit(128 + number)


@atexit.register
def _remove_all() -> None:
    for emulation in _running:
        if emulation.is_up:
            remove_in_subprocess(emulation.lab_id)
        emulation.docker.release()
