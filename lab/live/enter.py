"""The way into a host or an endpoint of a lab that is up: a command line, made from its record alone.

Nothing is asked and nothing is started here, so that a command in a host costs little more than itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.registry import HostRecord, Record
from lab.errors import HostError, UnknownName
from lab.hosts.first_process import FirstProcess

#: The best shell that a container has.
SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash || exec sh")


@dataclass(frozen=True)
class Entry:
    """A host, and the container of an endpoint on it where one was meant; `script` is as an `Endpoint`'s."""

    host: HostRecord
    endpoint: str = ""
    script: str = ""

    def inner(self, flags: str = "-i") -> tuple[str, ...]:
        """The words before a command on the host, so that it runs in the endpoint; the flags are Docker's."""
        if self.script:
            return (self.script, "run")
        return ("docker", "exec", flags, self.endpoint) if self.endpoint else ()

    def command(self, argv: Sequence[str]) -> list[str]:
        """The argv that runs `argv` there, with this process's input and output."""
        whole = [*self.inner(), *argv]
        if self.host.confined:
            return ["docker", "exec", "-i", self.host.container, *whole]
        return self._inside.argv(whole)

    def shell(self, terminal: bool) -> list[str]:
        """The argv of a shell there; in a container with a `terminal` it gets one of its own."""
        flags = "-it" if terminal else "-i"
        if self.host.light:
            return self._inside.argv([*self.inner(flags), *SHELL])
        return ["docker", "exec", flags, self.host.container, *self.inner(flags), *SHELL]

    def environment(self) -> Mapping[str, str]:
        """All of the command's environment."""
        return self._inside.environment()

    def shell_environment(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """All of a shell's environment; `own` is this process's, in which Docker's client runs."""
        return {"TERM": own.get("TERM", "dumb"), **self.environment()} if self.host.light else own

    @property
    def _inside(self) -> FirstProcess:
        host = self.host
        return FirstProcess(host.pid, host.started, tuple(HOST_CAPABILITIES), host.environment())


def entry(record: Record, place: str) -> Entry:
    """The way to ``HOST``, or to ``HOST/ENDPOINT``: the name of an overlay, or of the container.

    Raises:
        UnknownName: there is no such host or endpoint; the error has the nearest name.
        HostError: the host no longer runs.
    """
    name, _, word = place.partition("/")
    hosts = {host.name: host for host in record.hosts}
    if name not in hosts:
        raise UnknownName("host", name, hosts)
    if not hosts[name].process.alive():
        raise HostError(
            f"{name} of lab {record.name} has died; 'lab ps {record.name}' gives the reason, and "
            "'lab up' on the same topology makes it again"
        )
    end = _endpoint(record, name, word) if word else {"container": ""}
    return Entry(hosts[name], end["container"], end.get("script", ""))


def _endpoint(record: Record, host: str, word: str) -> dict[str, Any]:
    """An endpoint on a host, as recorded."""
    known = {end["container"]: end for end in endpoints(record) if end["host"] == host}
    if word in known:
        return known[word]
    found = [end for end in known.values() if word in (end["overlay"], "endpoint")]
    if len(found) != 1:
        raise UnknownName(f"endpoint on {host}", word, {end["overlay"] for end in known.values()})
    return found[0]


def endpoints(record: Record) -> list[dict[str, Any]]:
    """Every endpoint of a lab, as recorded."""
    return [end for overlay in record.overlays for end in overlay.endpoints]
