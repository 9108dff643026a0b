"""Running one measuring tool inside an endpoint; its output is parsed elsewhere.

The deadline holds at the far end: killing ``docker exec`` leaves the program inside the
container alive, and a client that hangs there would spoil every sample after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.errors import HostTimeout, MeasureError
from lab.hosts.command import with_deadline
from lab.hosts.host import Endpoint, Result

#: How much longer than asked a tool may take (s): five hops add a second of hand-shakes and,
#: behind a full queue, the exchange of results takes a few more.
GRACE = 20.0
#: How much longer than the far end's deadline this end waits (s).
MARGIN = 10.0
#: Status of ``timeout``, and of Docker, for a program that is not there or is none.
NOT_THERE = (126, 127)


async def execute(endpoint: Endpoint, argv: Sequence[str], seconds: float) -> Result:
    """Run a tool that should take `seconds` (s); its status is for the tool's parser to judge.

    Raises:
        MeasureError: it is not there, or had not ended `GRACE` seconds later.
    """
    limit = seconds + GRACE
    try:
        result = await endpoint.run(with_deadline(argv, limit), timeout=limit + MARGIN, check=False)
    except HostTimeout as error:
        raise timeout_error(argv, limit, endpoint.name) from error
    if result.status in (124, 137) and result.seconds >= limit:
        raise timeout_error(argv, limit, endpoint.name, output(result))
    if result.status in NOT_THERE:
        reason = (
            f"cannot be run on {endpoint.name}: {last_line(result)}; use an image that has it, as lab/gtsperf"
        )
        raise MeasureError(argv[0], reason, output(result), tuple(argv))
    return result


def last_line(result: Result) -> str:
    """Return the last line that a command printed, errors first."""
    return (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]


def timeout_error(argv: Sequence[str], limit: float, where: str, raw: str = "") -> MeasureError:
    """Return the error for a tool that did not end."""
    reason = f"had not ended after {limit:g} s on {where} and was killed"
    return MeasureError(argv[0], reason, raw, tuple(argv))


def output(result: Result) -> str:
    """Return all that a tool printed: it goes into the raw file of a failed sample."""
    return "\n".join(part for part in (result.stdout.rstrip(), result.stderr.rstrip()) if part) + "\n"
