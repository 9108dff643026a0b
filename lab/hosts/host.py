"""The Host protocol: the only access that overlays and experiments have to a machine.

Three implementations: `lab.hosts.container` and `lab.hosts.namespace` (emulated), and
`lab.hosts.ssh` (real). An overlay cannot tell them apart, but for the host's facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, TypedDict, Unpack

from lab.errors import CommandError

#: On a host without a Docker daemon: the file system of the endpoints' image, read-only.
ENDPOINT_ROOT = "/var/lib/lab-seed/gtsperf"


@dataclass(frozen=True)
class Result:
    """The status and the output of a command that ended, and how long it took (s)."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float

    @classmethod
    def of(cls, argv: Sequence[str], status: int, out: bytes, err: bytes, start: float) -> Result:
        """Build the result of a command that began at `start` (of `monotonic`)."""
        decoded = out.decode(errors="replace"), err.decode(errors="replace")
        return cls(tuple(argv), status, *decoded, monotonic() - start)

    def checked(self, host: str) -> Result:
        """Return this result if the command succeeded.

        Raises:
            CommandError: its status is not zero.
        """
        if self.status:
            raise CommandError(host, self.argv, self.status, self.stdout, self.stderr)
        return self


class Private(list[str]):
    """A command that prints a secret or a file: only the caller gets the output, and no log has it."""


class Secret(bytes):
    """A command's input with secrets in it; `secrets` has each by a name (``swarm join token``).

    The command gets them; a log or a trace of the command leaves them out.

    Raises:
        ValueError: a secret is not literally in the input, so it could not be left out.
    """

    secrets: Mapping[str, str]

    def __new__(cls, data: bytes, secrets: Mapping[str, str]) -> Secret:
        if absent := [words for words, value in secrets.items() if not value or value.encode() not in data]:
            raise ValueError(f"the input does not have the {', '.join(absent)} in it as it is")
        made = super().__new__(cls, data)
        made.secrets = dict(secrets)
        return made


@dataclass(frozen=True)
class HostFacts:
    """The properties of a host that an overlay has to know.

    `kernel` is the release; `docker` the daemon's version; `link_kinds` the kinds of
    link that its kernel can make (``vxlan``, ``dummy``, ``wireguard`` …) of those that
    the lab asks about; `binaries` the programs found on its PATH; `features` what else its
    kernel can do (``openvswitch``; ``esp``: IPsec with AES-GCM; ``tun``: its device is there;
    ``bridge-nf``: iptables sees what crosses a bridge; ``ipv6``).
    """

    kernel: str
    arch: str
    docker: tuple[int, ...]
    link_kinds: frozenset[str] = frozenset()
    binaries: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()


class CommandOptions(TypedDict, total=False):
    """The options of every `run`: `timeout` (s, 60 by default), and the command's input.

    `check`, on by default, raises an error for a status that is not zero. `env` reaches the command
    without being in any argv: use it for secrets.
    """

    timeout: float
    check: bool
    stdin: bytes | None
    env: Mapping[str, str] | None


class CommandRunner(Protocol):
    """Runs one command to its end. Code that only runs commands needs no more of a host than this."""

    @property
    def name(self) -> str: ...

    async def run(self, argv: Sequence[str], **options: Unpack[CommandOptions]) -> Result:
        """Run `argv` (never a shell string) and return its result.

        Raises:
            CommandError: `check` is set and the status is not zero.
            HostTimeout: it had not ended after `timeout` seconds; it was then killed.
        """
        ...


class Host(CommandRunner, Protocol):
    """A machine at a site."""

    @property
    def site(self) -> str: ...

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its underlay addresses, by link number."""
        ...

    async def facts(self) -> HostFacts: ...

    async def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Start a daemon that outlives this call; its output goes to ``/var/log/lab/NAME.log``.

        If a daemon of that name runs already, it is left as it is.
        """
        ...

    async def stop(self, name: str) -> None:
        """End the daemon that `start` began under this name; no error when there is none."""
        ...

    async def alive(self, name: str) -> bool:
        """Return True while the daemon of this name runs."""
        ...

    async def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        """Write a file on the host, and make its folder if needed; `data` is never in an argv."""
        ...

    async def get(self, path: str) -> bytes:
        """Read a file of the host.

        Raises:
            HostError: there is no such file.
        """
        ...


def docker_exec(
    container: str, argv: Sequence[str], stdin: bytes | None, env: Mapping[str, str] | None
) -> list[str]:
    """Build the ``docker exec`` that runs `argv`; it has the names in `env`, not the values."""
    flags = ["-i"] if stdin is not None else []
    flags += [word for name in env or () for word in ("-e", name)]
    return ["docker", "exec", *flags, container, *argv]


@dataclass(frozen=True)
class Endpoint:
    """A measurement container on a host, attached to an overlay.

    `address` is what its peers send to; `interface` is its device on the overlay. If an endpoint
    has an address per link, `neighbours` has the address of this end of each link, by the host at
    the other end. `script` is empty for a container of Docker's. On a host without Docker it is
    the script there through which commands get in: its words are ``run``, ``start`` and ``remove``.
    """

    host: Host
    container: str
    address: str
    interface: str = "eth0"
    overlay: str = ""
    neighbours: Mapping[str, str] = field(default_factory=dict)
    script: str = ""

    @property
    def name(self) -> str:
        return f"{self.host.name}/{self.container}"

    def address_for(self, host: str) -> str:
        """Return the address to which the endpoint on `host` sends: over their link, if there is one."""
        return self.neighbours.get(host, self.address)

    async def run(self, argv: Sequence[str], **options: Unpack[CommandOptions]) -> Result:
        """Run a command inside the container; see `CommandRunner.run`."""
        full = docker_exec(self.container, argv, options.get("stdin"), options.get("env"))
        return await self.host.run([self.script, "run", *argv] if self.script else full, **options)

    async def start(self, argv: Sequence[str]) -> None:
        """Start a command inside the container and leave it running."""
        detached = ["docker", "exec", "-d", self.container]
        await self.host.run([*([self.script, "start"] if self.script else detached), *argv])
