"""A host that is a set of namespaces of this machine and has no Docker daemon: commands enter it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.hosts import command
from lab.hosts.base import GRACE, BaseHost
from lab.hosts.first_process import FirstProcess
from lab.hosts.host import Result


class NamespaceHost(BaseHost):
    """A `Host` in the namespaces of a running process, `inside`; it does not own them."""

    def __init__(
        self,
        name: str,
        site: str,
        addresses: Sequence[str],
        inside: FirstProcess,
        run: command.RunCommand = command.run,
    ) -> None:
        super().__init__(name, site, addresses)
        self._inside, self._run = inside, run

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        bounded = command.with_deadline(argv, timeout)
        # in a trace no number of a process, which the next lab's is another than
        entered = command.Traced(self._inside.argv(bounded), again=["lab", "exec", self.name, "--", *bounded])
        return await self._run(
            entered,
            on=self.name,
            timeout=timeout + GRACE,
            check=False,
            stdin=stdin,
            env=self._inside.environment(env),
        )
