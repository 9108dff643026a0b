"""A host that is a Docker container of this machine: commands go through ``docker exec``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from lab.errors import CommandError, HostTimeout
from lab.hosts import process
from lab.hosts.base import Result
from lab.hosts.common import CommonHost, with_deadline

#: How much longer than the command's own deadline this end waits for the far end (s).
GRACE = 15.0


class ContainerHost(CommonHost):
    """A `Host` on a running container; it does not own the container."""

    def __init__(
        self,
        name: str,
        site: str,
        addresses: Sequence[str],
        container: str,
        run: process.Run = process.run,
    ) -> None:
        super().__init__(name, site, addresses)
        self.container = container
        self._run = run

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        start = monotonic()
        full = exec_argv(self.container, argv, timeout, stdin is not None, tuple(env or ()))
        result = await self._run(
            full, on=self.name, timeout=timeout + GRACE, check=False, stdin=stdin, env=env
        )
        if result.status in (124, 137) and monotonic() - start >= timeout:
            raise HostTimeout(f"{self.name}: {' '.join(argv)[:300]!r} had not ended after {timeout:g} s")
        result = Result(tuple(argv), result.status, result.stdout, result.stderr, result.seconds)
        if check and result.status:
            raise CommandError(self.name, argv, result.status, result.stdout, result.stderr)
        return result


def exec_argv(
    container: str, argv: Sequence[str], timeout: float, has_input: bool, env: Sequence[str]
) -> list[str]:
    """The ``docker exec`` that runs `argv`; of `env` only the names stand in it."""
    flags = ["-i"] if has_input else []
    flags += [word for name in env for word in ("-e", name)]
    return ["docker", "exec", *flags, container, *with_deadline(argv, timeout)]
