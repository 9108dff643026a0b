"""A host that is this machine: commands run here, for tests of what scripts do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.hosts import command
from lab.hosts.base import BaseHost
from lab.hosts.host import Result


class Here(BaseHost):
    """Runs every command on this machine, as whoever runs the tests."""

    def __init__(self, name: str = "AMS") -> None:
        super().__init__(name, name, ())

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        return await command.run(argv, on=self.name, timeout=timeout, check=False, stdin=stdin, env=env)
