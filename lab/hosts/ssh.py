"""A host that is a machine of its own: commands go over SSH, as root or through sudo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.errors import HostError
from lab.hosts.base import GRACE, BaseHost
from lab.hosts.command import RunCommand, with_deadline
from lab.hosts.host import Private, Result

#: What a command finds in its environment, whoever logs in: the same as in a container.
ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root")
#: Takes the values of an environment from the first lines of its input
#: (`ssh_connection.environment_lines`): an argv can be read by every user of a machine. `read` takes no
#: byte beyond its line, so the command finds the rest.
READ_ENVIRONMENT = (
    "while [ $1 != -- ]; do IFS= read -r value; "
    'export "$1=$(printf %s "$value" | base64 -d)"; shift; done; shift; exec "$@"'
)


class SshHost(BaseHost):
    """A `Host` on a machine where `run` (an `SshConnection`) runs commands as who logs in: `sudo`, not root.

    `addresses` are those on the underlay, by link number.
    """

    def __init__(
        self, name: str, site: str, addresses: Sequence[str], run: RunCommand, *, sudo: bool = False
    ) -> None:
        super().__init__(name, site, addresses)
        self._run, self._sudo = run, sudo

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        full = remote_argv(argv, timeout, tuple(env or ()), sudo=self._sudo)
        full = Private(full) if isinstance(argv, Private) else full
        result = await self._run(
            full, on=self.name, timeout=timeout + GRACE, check=False, stdin=stdin, env=env
        )
        if self._sudo and result.status:
            refuse_password(self.name, result)
        return result


def remote_argv(argv: Sequence[str], timeout: float, names: Sequence[str], *, sudo: bool) -> list[str]:
    """Build the command at the far end; it has only the names of environment variables."""
    given = ["sh", "-c", READ_ENVIRONMENT, "given", *names, "--"] if names else []
    root = ["sudo", "-n", "--"] if sudo else []
    return [*root, "env", "-i", "-C", "/", *ENVIRONMENT, *given, *with_deadline(argv, timeout)]


def refuse_password(host: str, result: Result) -> None:
    """Check that sudo itself did not fail.

    Raises:
        HostError: it asks for a password, lets this user do nothing, or is not there.
    """
    line = result.stderr.strip().rsplit("\n", 1)[-1]
    if line.startswith("sudo: ") and ("password" in line or "terminal" in line):
        raise HostError(
            f"{host}: sudo asks for a password there; let this user do it without one (NOPASSWD in "
            "/etc/sudoers.d), or log in as root"
        )
    if "is not in the sudoers file" in line or "is not allowed to execute" in line:
        raise HostError(f"{host}: {line}; the lab needs root there, by sudo without a password or by login")
    if result.status == 127 and "sudo" in line and "not found" in line:
        raise HostError(f"{host}: sudo is not installed there; install it, or log in as root")
