"""The registered claims of an experiment, and statistics that several experiments use for theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.published import CONTROL
from lab.report.claims import Checks, Claim, undecided
from lab.report.registered import Statistic, registered
from lab.report.selection import Group
from lab.runs.run_folder import StoredRun

#: One file a study.
FILES = tuple(sorted((Path(__file__).parents[1] / "claims").glob("*.yaml")))
#: Bytes of an Ethernet frame on a link of the lab, and those of them that are TCP's data (with time stamps).
FRAME, DATA = 1514, 1448
#: Share of what a link can carry of TCP from which the link is the limit, not the host.
AT_THE_LIMIT = 0.95


def of(experiment: str, statistics: Mapping[str, Statistic], command: str = "") -> tuple[Claim, ...]:
    """Return the claims of an experiment, from `FILES`."""
    return registered(FILES, experiment, statistics, command)


def at_the_limit(run: StoredRun, group: Group, share: float = AT_THE_LIMIT) -> bool:
    """Return True where TCP is at `share` of what the links carry of it, or more: then they are the limit.

    Overlays then are below the control by their headers alone: 1398 bytes of 1448 make 0.9655.
    """
    found, rate = group.summary, run.manifest.rate
    return found is not None and rate is not None and found.mean > share * rate * DATA / FRAME


def unless_at_the_limit(run: StoredRun, group: Group, checks: Checks) -> Checks:
    """Leave all checks open where the control's TCP is at the links' limit: figures follow from headers."""
    if not at_the_limit(run, group):
        return checks
    mean = group.summary.mean if group.summary else 0.0
    words = (
        f"the {CONTROL} carries {mean:.0f} Mbit/s of {run.manifest.rate:g}, the maximum of the "
        "link. So the overlays' throughput only shows the size of their headers; a higher rate or hosts with "
        "less CPU would show more"
    )
    return [undecided(words)]
