"""The first process of a host of this machine, and how a command gets into its namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.command import FullEnvironment

#: The script that a command goes through to get into a host.
ENTER = Path(__file__).with_name("enter")
#: What a command in a host finds in its environment, as Docker has it.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


@dataclass(frozen=True)
class FirstProcess:
    """A host's first process, told by its start time (clock ticks), and what commands beside it may do.

    `env` has the variables that the host gives to its commands.
    """

    pid: int
    started: int
    capabilities: Sequence[str]
    env: Mapping[str, str]

    def argv(self, argv: Sequence[str]) -> list[str]:
        """Return the argv that runs `argv` in the host."""
        allowed = ",".join(["-all", *(f"+{name.lower()}" for name in self.capabilities)])
        return [str(ENTER), str(self.pid), str(self.started), allowed, *argv]

    def environment(self, given: Mapping[str, str] | None = None) -> FullEnvironment:
        """Return all of the environment of a command in the host, which was `given` some of it."""
        return FullEnvironment({**ENVIRONMENT, **self.env}, given or {})
