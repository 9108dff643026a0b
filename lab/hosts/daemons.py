"""Daemons on a host: where they keep their process ids and logs, and the commands that start and end them."""

from __future__ import annotations

from collections.abc import Sequence

PIDS = "/run/lab/daemons"
LOGS = "/var/log/lab"


def pidfile(name: str) -> str:
    """Return the file that has the process id of a daemon."""
    return f"{PIDS}/{name}.pid"


def log_file(name: str) -> str:
    """Return the file that a daemon writes to."""
    return f"{LOGS}/{name}.log"


def start_argv(name: str, argv: Sequence[str], cwd: str) -> list[str]:
    """Build the command that starts a daemon in a session of its own, once."""
    return [
        *("start-stop-daemon", "--start", "--oknodo", "--background", "--make-pidfile"),
        *("--pidfile", pidfile(name), "--output", log_file(name), "--chdir", cwd),
        *("--startas", "/usr/bin/env", "--", *argv),
    ]


def stop_argv(name: str) -> list[str]:
    """Build the command that ends a daemon: TERM, and KILL after three seconds."""
    return [
        *("start-stop-daemon", "--stop", "--oknodo", "--remove-pidfile", "--retry", "TERM/3/KILL/2"),
        *("--pidfile", pidfile(name)),
    ]


def status_argv(name: str) -> list[str]:
    """Build the command that succeeds while a daemon runs."""
    return ["start-stop-daemon", "--status", "--pidfile", pidfile(name)]


def signal_argv(signal: str, file: str) -> list[str]:
    """Build the command that sends a signal to the process whose id stands in a file."""
    return ["start-stop-daemon", "--stop", "--quiet", "--signal", signal, "--pidfile", file]
