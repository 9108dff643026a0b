"""Files of a host, read from outside without following links: a link inside a host may name anything here.

``/proc/PID/root`` leads into a host's files. An absolute link below it is resolved on this machine, so a
host could make ``/var/log/lab/x.log`` a link to ``/etc/shadow``. Here every part of a path is opened by
itself, and a link, a device or a pipe is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.emulation.ownership import Process

#: So much of a file is read at most (bytes): its end, for the last words of a log.
MOST = 65_536


@contextmanager
def _opened(process: Process, path: str) -> Iterator[int]:
    """A descriptor that names a file or folder of a host, but does not read it (O_PATH).

    Raises:
        OSError: the host has ended, there is no such file, or a part of the path is a link.
    """
    found = os.open(f"/proc/{process.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not process.alive():  # its number may be another process's by now
            raise ProcessLookupError(f"process {process.pid} has ended")
        for part in path.strip("/").split("/"):
            if part in ("", ".", ".."):
                raise ValueError(f"not a plain path: {path!r}")
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=found)
            os.close(found)
            found = inner
            if stat.S_ISLNK(os.fstat(found).st_mode):
                raise OSError(f"{path} of a host leads over a link")
        yield found
    finally:
        os.close(found)


def names(process: Process, folder: str, suffix: str) -> list[str]:
    """Return the names in a folder of a host that end so; none where there is no such folder."""
    with suppress(OSError), _opened(process, folder) as found:
        # a folder that is only named cannot be listed; by this way it can
        listed = Path(f"/proc/self/fd/{found}").iterdir()
        return sorted(path.name for path in listed if path.name.endswith(suffix))
    return []


def open_file(process: Process, path: str) -> int:
    """Return a descriptor of a regular file of a host, for reading; the caller closes it.

    Raises:
        OSError: the host has ended, there is no such file, or it is a link, a device or a pipe.
    """
    with _opened(process, path) as found:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(f"{path} of a host is no regular file")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)


def read_end(process: Process, path: str) -> str:
    """Return the end of a file of a host; "" for one that cannot be read."""
    try:
        with open(open_file(process, path), "rb") as file:
            # files of /proc have no size
            file.seek(max(0, os.fstat(file.fileno()).st_size - MOST))
            return file.read(MOST).decode(errors="replace")
    except OSError:
        return ""
