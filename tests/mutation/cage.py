"""A place where faulty code can do no harm: nothing of the machine can be written, ended or reached.

Code with a fault in it may kill processes and delete files. It runs as nobody, in namespaces of its own for
processes, mounts, network and users; all that is mounted is read-only but one folder in memory.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

#: Set inside the cage: the folder that can be written.
INSIDE = "LAB_TESTS_CAGE"
_NAMESPACES = ("--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc")
_MOUNT_SETATTR, _RECURSIVE, _READ_ONLY, _HERE = 442, 0x8000, 1, -100


_ARGV = ("unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc")


def missing() -> str:
    """Say what this machine lacks for a cage; nothing where it has all."""
    if shutil.which("unshare") and not subprocess.run([*_ARGV, "true"], check=False).returncode:
        return ""
    return "faulty code runs only where there are user namespaces (unshare --user)"


def lines(module: str, arguments: list[str]) -> Iterator[str]:
    """Run a module of Python in a cage, and yield what it prints.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        argv = [*_ARGV, sys.executable, "-m", "tests.mutation.cage", folder, module, *arguments]
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as inside:
            try:
                yield from inside.stdout or ()
            except BaseException:
                inside.kill()  # and all in it with it
                raise
    if inside.returncode:
        raise RuntimeError(f"{module} failed in its cage (status {inside.returncode})")


def _close(folder: Path) -> None:
    """Make everything read-only but a new folder in memory, and be nobody in particular."""
    root = ctypes.create_string_buffer(b"/")
    asked = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_MOUNT_SETATTR, _HERE, root, _RECURSIVE, asked, ctypes.sizeof(asked)):
        raise OSError(ctypes.get_errno(), "the file systems cannot be made read-only")
    # a new /proc, for the names of users to be written there
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    for place in (folder, Path("/dev/shm")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    _close(place)
    nobody = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, "-m", *sys.argv[2:]]
    wanted = {INSIDE: str(place), "TMPDIR": str(place), "HOME": str(place)}
    os.execvpe(nobody[0], nobody, {**os.environ, **wanted, "PYTHONDONTWRITEBYTECODE": "1"})
