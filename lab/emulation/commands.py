"""The one place of link building that runs processes: whoever needs it is given `run`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from lab.errors import CommandError, HostTimeout

#: Runs argv with the given standard input and returns its standard output.
Run = Callable[[Sequence[str], str | None], str]

THIS_MACHINE = "this machine"


def run(argv: Sequence[str], stdin: str | None = None) -> str:
    """Run a command on this machine, outside of any host, and return its output.

    Raises:
        CommandError: its status is not zero, or there is no such program (status 127).
        HostTimeout: it had not ended after 60 s.
    """
    try:
        done = subprocess.run(
            argv, input=stdin or "", capture_output=True, text=True, timeout=60, check=False, errors="replace"
        )
    except FileNotFoundError:
        raise CommandError(THIS_MACHINE, argv, 127, "", f"no program {argv[0]!r} on PATH") from None
    except subprocess.TimeoutExpired:
        raise HostTimeout(f"{THIS_MACHINE}: {' '.join(argv)[:300]!r} had not ended after 60 s") from None
    if done.returncode:
        raise CommandError(THIS_MACHINE, argv, done.returncode, done.stdout, done.stderr)
    return done.stdout


def namespace_path(end: int | str) -> str:
    """The path of a network namespace, given a process in it, its name, or the path itself."""
    if isinstance(end, int):
        return f"/proc/{end}/ns/net"
    return end if "/" in end else f"/run/netns/{end}"


def inside(end: int | str, argv: Sequence[str]) -> list[str]:
    """The argv that runs `argv` in a network namespace: this machine's programs, that network."""
    return ["nsenter", f"--net={namespace_path(end)}", *argv]


def batch(end: int | str) -> list[str]:
    """The argv that carries out `ip` commands, one a line on standard input, in a network namespace."""
    return inside(end, ["ip", "-batch", "-"])
