"""The way to a machine by SSH: who logs in where, with which keys; and what stands in the way, in words.

Everything that OpenSSH reads of the user's own settings counts here too: ~/.ssh/config, keys,
the agent, known_hosts. Host keys are always checked.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from lab.errors import HostUnreachable

#: How long a machine may take to answer, and to let somebody in (s).
CONNECT, LOGIN = 10.0, 20.0
#: A connection is asked this often (s), and is lost when so many answers are missing.
KEEPALIVE, MISSING = 5.0, 3


@dataclass(frozen=True)
class SshSettings:
    """How a machine is reached; what is None comes from the user's own SSH settings.

    `keys` are files of private keys; `jump` is a machine to go by; with `accept_new` the key of
    a machine that was never seen is written into `known_hosts`, and one that changed is refused.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    keys: tuple[str, ...] = ()
    jump: SshSettings | None = None
    known_hosts: Path | None = None
    config: Path | None = None
    accept_new: bool = False

    @property
    def where(self) -> str:
        return f"{self.address} port {self.port or 22}"


class _Client(asyncssh.SSHClient):
    """Decides about host keys that known_hosts does not have."""

    def __init__(self, way: SshSettings) -> None:
        self._way, self.fault = way, ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        file = self._way.known_hosts or Path.home() / ".ssh" / "known_hosts"
        known = asyncssh.match_known_hosts(str(file), host, addr, port)[0] if file.exists() else ()
        if known:
            self.fault = (
                f"its host key is not the one that {file} has: the machine was installed anew, or somebody "
                f"stands between; if it is the former, ssh-keygen -f {file} -R {_entry(host, port)}"
            )
            return False
        if not self._way.accept_new:
            self.fault = (
                f"its host key {key.get_fingerprint()} is in no known_hosts; compare it and give --accept-new"
            )
            return False
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("a") as lines:
            lines.write(f"{_entry(host, port)} {key.export_public_key().decode().strip()}\n")
        return True


def _entry(host: str, port: int) -> str:
    """How known_hosts names a machine (sshd(8))."""
    return host if port == 22 else f"[{host}]:{port}"


async def connected(
    way: SshSettings, tunnel: asyncssh.SSHClientConnection | None = None
) -> asyncssh.SSHClientConnection:
    """A connection to a machine.

    Raises:
        HostUnreachable: says what stands in the way, and what to do.
    """
    client = _Client(way)
    refuse_keys(way)
    try:
        return await asyncssh.connect(
            way.address,
            client_factory=lambda: client,
            **_options(way),
            **({"tunnel": tunnel} if tunnel else {}),
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostUnreachable(way.name, way.where, client.fault or str(error)) from error
    except asyncssh.PermissionDenied as error:
        raise HostUnreachable(way.name, way.where, _not_let_in(way)) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise HostUnreachable(
            way.name, way.where, f"a key cannot be used: {error}; give it to ssh-agent, or name another"
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise HostUnreachable(way.name, way.where, failure(error)) from error


def refuse_keys(way: SshSettings) -> None:
    """Return when the files of the keys can be read.

    Raises:
        HostUnreachable: one cannot.
    """
    for key in way.keys:
        try:
            Path(key).expanduser().open("rb").close()
        except OSError as error:
            raise HostUnreachable(
                way.name, way.where, f"the key {key} cannot be read: {error.strerror}; correct the inventory"
            ) from error


def _not_let_in(way: SshSettings) -> str:
    who = f"user {way.user!r}" if way.user else "this user"
    with_keys = f"not let in with the key {', '.join(way.keys)}"
    what = with_keys if way.keys else "let in with none of the agent's and the user's keys"
    return f"{who} is {what}; correct user and key in the inventory, or put the key there"


def failure(error: BaseException) -> str:
    """What went wrong on the way, in a few words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT:g} s; check address, network and that the machine is up"
    said = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    if "Connect call failed" in said:  # asyncio's own words; the kernel's are in the number
        found = re.search(r"Errno (\d+)", str(error))
        said = os.strerror(int(found[1])) if found else "connection refused"
    return f"{said}; check address and port in the inventory, and that sshd runs there"


def _options(way: SshSettings) -> dict[str, Any]:
    """What asyncssh is told; an empty tuple stands for the user's own settings."""
    options: dict[str, Any] = {
        "connect_timeout": CONNECT,
        "login_timeout": LOGIN,
        "keepalive_interval": KEEPALIVE,
        "keepalive_count_max": MISSING,
        "compression_algs": ["none"],
        "preferred_auth": "publickey",
    }
    if way.port is not None:
        options["port"] = way.port
    if way.user is not None:
        options["username"] = way.user
    if way.keys:
        options["client_keys"] = [str(Path(key).expanduser()) for key in way.keys]
    if way.known_hosts is not None:
        way.known_hosts.touch(mode=0o600, exist_ok=True)
        options["known_hosts"] = str(way.known_hosts)
    if way.config is not None:
        options["config"] = [str(way.config)]
    return options
