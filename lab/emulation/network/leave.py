"""What a script leaves behind when it ends without `stop`: nothing.

A script that is killed gets no such chance; for that there is ``lab cleanup``.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

from lab.emulation.reap import reap

if TYPE_CHECKING:
    from lab.emulation.network.ground import Ground

_running: list[Ground] = []


def enrol(ground: Ground) -> None:
    """Remove this lab at the end of the process, unless it is gone by then."""
    _running.append(ground)


def strike(ground: Ground) -> None:
    """The lab is gone."""
    if ground in _running:
        _running.remove(ground)


@atexit.register
def _leave() -> None:
    for ground in _running:
        if ground.emulation.state is not None:
            reap(ground.emulation.state.lab_id)
        ground.emulation._daemon.release()
