"""A host that is a Docker container of this machine: commands enter its namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.hosts import command
from lab.hosts.base import GRACE, BaseHost
from lab.hosts.first_process import FirstProcess
from lab.hosts.host import Result, docker_exec


class ContainerHost(BaseHost):
    """A `Host` on a running container; it does not own the container.

    Without `inside`, commands go through ``docker exec``, which every container takes and which
    keeps Docker's own confinement.
    """

    def __init__(
        self,
        name: str,
        site: str,
        addresses: Sequence[str],
        container: str,
        run: command.RunCommand = command.run,
        inside: FirstProcess | None = None,
    ) -> None:
        super().__init__(name, site, addresses)
        self.container = container
        self._run, self._inside = run, inside

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        bounded = command.with_deadline(argv, timeout)
        full = docker_exec(self.container, bounded, stdin, env)
        if self._inside is not None:
            # in a trace no number of a process, which the next lab's is another than
            full = command.Traced(self._inside.argv(bounded), again=full)
            env = self._inside.environment(env)
        return await self._run(full, on=self.name, timeout=timeout + GRACE, check=False, stdin=stdin, env=env)
