"""A host that is this machine: commands run here, for tests of what scripts do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.hosts import command
from lab.hosts.daemons import CommonHost
from lab.hosts.host import Result


class Here(CommonHost):
    """Runs every command on this machine, as whoever runs the tests."""

    def __init__(self, name: str = "AMS") -> None:
        super().__init__(name, name, ())

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        return await command.run(argv, on=self.name, timeout=timeout, check=check, stdin=stdin, env=env)
