"""A host that is a Docker container of this machine: commands enter its namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.hosts import command
from lab.hosts.base import GRACE, BaseHost
from lab.hosts.host import Result, docker_exec

#: The script that a command goes through to get into a host.
ENTER = Path(__file__).with_name("enter")
#: What a command in a container finds in its environment, as Docker has it.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


@dataclass(frozen=True)
class ContainerProcess:
    """A container's first process, told by its start time (clock ticks), and what its commands may do."""

    pid: int
    started: int
    capabilities: Sequence[str]
    env: Mapping[str, str]


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
        inside: ContainerProcess | None = None,
    ) -> None:
        super().__init__(name, site, addresses)
        self.container = container
        self._run, self._inside = run, inside

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        bounded = command.with_deadline(argv, timeout)
        full = docker_exec(self.container, bounded, stdin, env)
        if inside := self._inside:
            allowed = ",".join(["-all", *(f"+{name.lower()}" for name in inside.capabilities)])
            entered = [str(ENTER), str(inside.pid), str(inside.started), allowed, *bounded]
            # in a trace no number of a process, which the next lab's is another than
            full = command.Traced(entered, again=full)
            env = command.FullEnvironment({**ENVIRONMENT, **inside.env}, env or {})
        return await self._run(full, on=self.name, timeout=timeout + GRACE, check=False, stdin=stdin, env=env)
