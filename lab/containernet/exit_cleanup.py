"""What a script leaves behind when it ends without `stop`: nothing.

A script that is killed outright gets no such chance; for that there is ``lab cleanup``.
"""

from __future__ import annotations

import atexit
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from lab.emulation.reap import reap

if TYPE_CHECKING:
    from lab.containernet.backend import Backend

#: What ends a Python program without its last words, unless somebody listens: a service manager's word,
#: and a lost terminal's.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_running: list[Backend] = []


def enrol(ground: Backend) -> None:
    """Remove this lab at the end of the process, unless it is gone by then."""
    _running.append(ground)
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _end)


def strike(ground: Backend) -> None:
    """The lab is gone."""
    if ground in _running:
        _running.remove(ground)


def _end(number: int, frame: FrameType | None) -> None:
    """End in the ordinary way, with the status that a shell gives to a program that this signal ended."""
    sys.exit(128 + number)


@atexit.register
def _leave() -> None:
    for ground in _running:
        if ground.emulation.state is not None:
            reap(ground.emulation.state.lab_id)
        ground.emulation._daemon.release()
