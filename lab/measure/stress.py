"""stress-ng: other work for a host's CPU."""

from __future__ import annotations

from lab.errors import MeasureError
from lab.hosts.command import with_deadline
from lab.hosts.host import Endpoint
from lab.measure.tool import last_line

NAME = "stress-ng"
#: Status of ``timeout`` when it ended the program at its deadline, as here is meant.
TIMED_OUT = 124
#: How much longer than asked the call itself may take (s).
MARGIN = 20.0


async def load_one_cpu(endpoint: Endpoint, seconds: float) -> None:
    """Keep one CPU of an endpoint's host busy for `seconds` (s).

    Raises:
        MeasureError: stress-ng ended before its time, so the CPU was not busy.
    """
    # one worker on one CPU, as in the thesis; its own -t takes whole seconds
    command = with_deadline([NAME, "-c", "1", "--quiet"], seconds)
    result = await endpoint.run(command, check=False, timeout=seconds + MARGIN)
    if result.status != TIMED_OUT:
        reason = f"ended with status {result.status} before its {seconds:g} s were over"
        words = f"{reason}; it said {last_line(result)!r}"
        raise MeasureError(NAME, words, result.stdout + result.stderr, command)
