"""A watch for the end of a daemon, at next to no cost: the host waits, with one sleeping process each.

To ask every host every second would take a tenth of a machine of two processors away from the
measurement that it runs beside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from lab.hosts.daemons import note_script, stop_argv, stranger_script
from lab.hosts.host import Host
from lab.util.concurrency import together
from overlays.common.batch import Batch

#: How often a host looks whether a process is still there (s).
INTERVAL = 1.0
#: After so long a waiting process ends by itself, should this end be killed (s).
LONGEST = 86_400.0


async def until_one_ends(daemons: Mapping[Host, Mapping[str, str]]) -> None:
    """Return when a process has ended. Files of a host, one per daemon, have the process ids."""
    ends = [
        asyncio.ensure_future(_ends(host, *one)) for host, files in daemons.items() for one in files.items()
    ]
    try:
        await asyncio.wait(
            [*ends, asyncio.get_running_loop().create_future()], return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        await together(_forget(host, daemons[host]) for host in daemons)


async def _ends(host: Host, name: str, file: str) -> None:
    """Wait, inside the host, for the end of one process; one that is not there has ended."""
    script = f"{note_script(_own(name))}! {stranger_script(file)} || exit 0\n"
    script += f'exec tail -s {INTERVAL:g} --pid="$(cat {file})" -f /dev/null\n'
    await host.run(["sh", "-e"], stdin=script.encode(), timeout=LONGEST, check=False)


async def _forget(host: Host, names: Mapping[str, str]) -> None:
    """End what waits on a host: a command there outlives the one here that started it."""
    batch = Batch()
    for name in names:
        batch.run(stop_argv(_own(name)))
    await batch.on(host, check=False)


def _own(daemon: str) -> str:
    return f"watch-{daemon}"
