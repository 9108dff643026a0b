"""Security of a spread run: TLS between client, scheduler and workers, and no plain scheduler on a network.

Whoever reaches a plain scheduler can give blocks to its workers, which run as root, and can read samples. So
an address other than this machine's own needs TLS with certificates, or the user's word.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab.errors import FileError, RunError, UsageError

if TYPE_CHECKING:
    from distributed.security import Security

#: The files of a folder of certificates: one certificate for all roles, which is its own authority.
CERTIFICATE, KEY = "lab.pem", "lab.key"


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """Make a certificate and its key for client, scheduler and workers, for a year; return both files.

    Raises:
        FileError: the folder has some already, or cannot be written.
    """
    from distributed.security import Security

    made = Security.temporary()
    certificate, key = folder / CERTIFICATE, folder / KEY
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, text, mode in ((key, made.tls_worker_key, 0o600), (certificate, made.tls_ca_file, 0o644)):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "w") as opened:
                opened.write(text)
    except FileExistsError:
        raise FileError(f"{folder} has certificates already; name another folder") from None
    except OSError as error:
        raise FileError(f"certificates cannot be written to {folder}: {error.strerror}") from error
    return certificate, key


def load(folder: Path) -> Security:
    """Return the settings of Dask for the certificates of a folder.

    Raises:
        RunError: the folder has none, or others can read the key.
    """
    from distributed.security import Security

    certificate, key = folder / CERTIFICATE, folder / KEY
    for file in (certificate, key):
        if not file.is_file():
            raise RunError(f"{file} is not there; 'lab worker --make-certificates {folder}' makes it")
    if key.stat().st_mode & 0o077:
        raise RunError(f"others can read {key}; chmod 600 it, and make new certificates if they did")
    roles = {
        f"tls_{role}_{part}": str(file)
        for role in ("client", "scheduler", "worker")
        for part, file in (("cert", certificate), ("key", key))
    }
    return Security(require_encryption=True, tls_ca_file=str(certificate), **roles)


def check(address: str, certificates: Path | None, insecure: bool) -> Security | None:
    """Return the settings of Dask for a scheduler's address, None for a plain one.

    Raises:
        UsageError: the address is none, or it and the certificates do not go together.
        RunError: it is a plain scheduler on a network, or there are no certificates.
    """
    scheme, host = _split(address)
    if scheme == "tls":
        if certificates is None:
            raise UsageError(f"{address} needs --certificates FOLDER ('lab worker --make-certificates')")
        return load(certificates)
    if certificates is not None:
        raise UsageError(f"{address} is plain, and certificates are for tls://…; give one of the two")
    if not insecure and not loopback(host):
        raise RunError(
            f"{address} is a plain scheduler on a network, and all who reach it command its workers; "
            "use tls:// with --certificates, or add --insecure where only you reach it"
        )
    return None


def _split(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    if parts.scheme not in ("tcp", "tls") or not parts.hostname or not port:
        raise UsageError(f"{address} is no address of a scheduler; give tcp://HOST:PORT or tls://HOST:PORT")
    return parts.scheme, parts.hostname


def loopback(host: str) -> bool:
    """Tell if a host is this machine alone, by its address or the name ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
