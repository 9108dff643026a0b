"""The part that all kinds of hosts share, once they can run a command: files, daemons, facts.

Kept in one place so that an overlay's commands are the same on emulated and real hosts.
"""

from __future__ import annotations

import base64
import io
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic

from lab.errors import HostError, HostTimeout
from lab.hosts.daemons import LOGS, PIDS, start_argv, status_argv, stop_argv
from lab.hosts.facts import facts_script, parse_facts
from lab.hosts.host import HostFacts, Private, Result

#: How much longer than the command's own deadline this end waits for the far end (s).
GRACE = 15.0


class BaseHost(ABC):
    """A host of which only `execute` is its own."""

    def __init__(self, name: str, site: str, addresses: Sequence[str]) -> None:
        self.name, self.site, self.addresses = name, site, tuple(addresses)
        self._facts: HostFacts | None = None

    @abstractmethod
    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        """Run a command on the host under a deadline of `timeout` (s), whatever its status."""

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
        result = await self.execute(argv, timeout, stdin, env)
        if result.status in (124, 137) and monotonic() - start >= timeout:
            raise HostTimeout(f"{self.name}: {' '.join(argv)[:300]!r} had not ended after {timeout:g} s")
        result = replace(result, argv=tuple(argv))
        return result.checked(self.name) if check else result

    async def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
        await self.run(["tar", "-x", "-C", "/", "-f", "-"], stdin=buffer.getvalue(), timeout=120)

    async def get(self, path: str) -> bytes:
        result = await self.run(Private(["base64", "-w0", path]), check=False)
        if result.status:
            raise HostError(f"{self.name}: {path} cannot be read: {result.stderr.strip()}")
        return base64.b64decode(result.stdout)

    async def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        await self.run(["mkdir", "-p", PIDS, LOGS])
        await self.run(start_argv(name, argv, cwd="/"), env=env)

    async def stop(self, name: str) -> None:
        await self.run(stop_argv(name), timeout=30)

    async def alive(self, name: str) -> bool:
        return (await self.run(status_argv(name), check=False)).status == 0

    async def facts(self) -> HostFacts:
        if self._facts is None:
            asked = await self.run(["sh"], stdin=facts_script().encode(), check=False)
            self._facts = parse_facts(asked.stdout)
        return self._facts
