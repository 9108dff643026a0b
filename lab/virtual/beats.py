"""Signs of life of a box: with every virtual second a line that says that time moves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Thread
from time import monotonic, sleep

#: What such a line begins with: virtual seconds since the first one follow.
BEAT = "\x01beat "
#: Virtual seconds between two.
INTERVAL = 1.0


def say(line: str) -> None:
    """Write a line to the console at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def begin() -> Callable[[], None]:
    """Write beats from a thread, as long as this process lives; returns a function that writes one now."""
    start = monotonic()

    def beat() -> None:
        say(f"{BEAT}{monotonic() - start:.3f}")

    def beats() -> None:
        while True:
            beat()
            sleep(INTERVAL)

    Thread(target=beats, name="beats", daemon=True).start()
    return beat
