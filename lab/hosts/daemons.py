"""Daemons on a host: where they keep their process ids and logs, and the commands that start and end them.

A process id alone does not say which process is meant: when a daemon has died, the kernel gives its id to
another one. So the time at which a daemon started (clock ticks since boot, proc(5)) is noted beside its id. A
process with that id and another start time is a stranger: it is neither reported as the daemon nor ended.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

PIDS = "/run/lab/daemons"
LOGS = "/var/log/lab"
#: What the name of the file with a daemon's start time ends in, in place of ``.pid``.
STARTED = ".started"

#: Shell functions. `start_time` prints when a process started, and nothing for one that has ended; `stranger`
#: is true when the process whose id is in a file is not the one that was noted. Where nothing was noted (a
#: daemon that an older lab started, Docker's own file), the id alone counts.
_FUNCTIONS = """\
start_time() {
    read -r stat < "/proc/$1/stat" || return 0
    set -- ${stat##*) }
    [ "$1" = Z ] || echo "${20}"
} 2>/dev/null
stranger() {
    [ -e "${1%.pid}.started" ] && [ -e "$1" ] || return 1
    [ "$(start_time "$(cat "$1")")" != "$(cat "${1%.pid}.started")" ]
} 2>/dev/null
"""
#: Ends the daemon whose id is in a file: TERM, and KILL after three seconds.
_END = """\
end() {
    ! stranger "$1" || rm -f "$1"
    start-stop-daemon --stop --oknodo --remove-pidfile --retry TERM/3/KILL/2 --pidfile "$1" || return
    rm -f "${1%.pid}.started"
}
"""


def pidfile(name: str) -> str:
    """Return the file that has the process id of a daemon."""
    return f"{PIDS}/{name}.pid"


def log_file(name: str) -> str:
    """Return the file that a daemon writes to."""
    return f"{LOGS}/{name}.log"


def start_argv(name: str, argv: Sequence[str], cwd: str) -> list[str]:
    """Build the command that starts a daemon in a session of its own, once, and notes its start time."""
    start = (
        *("start-stop-daemon", "--start", "--oknodo", "--background", "--make-pidfile"),
        *("--pidfile", pidfile(name), "--output", log_file(name), "--chdir", cwd),
        *("--startas", "/usr/bin/env", "--"),
    )
    file, started = shlex.quote(pidfile(name)), shlex.quote(f"{PIDS}/{name}{STARTED}")
    script = (
        f"{_FUNCTIONS}! stranger {file} || rm -f {file} {started}\n"
        f'{shlex.join(start)} "$@" || exit\n'
        f'start_time "$(cat {file})" > {started}'
    )
    return ["sh", "-c", script, name, *argv]


def note_script(name: str) -> str:
    """Return lines of shell by which a shell notes itself as a daemon, before it becomes the program."""
    file, started = shlex.quote(pidfile(name)), shlex.quote(f"{PIDS}/{name}{STARTED}")
    return f"{_FUNCTIONS}mkdir -p {PIDS}\nrm -f {file}\nstart_time $$ > {started}\necho $$ > {file}\n"


def stranger_script(file: str) -> str:
    """Return a command of shell that succeeds when the id in a file is another process's than was noted.

    It stands after the lines of `note_script`.
    """
    return f"stranger {shlex.quote(file)}"


def stop_argv(name: str) -> list[str]:
    """Build the command that ends a daemon: TERM, and KILL after three seconds; a stranger is left alone."""
    return ["sh", "-c", f"{_FUNCTIONS}{_END}end {shlex.quote(pidfile(name))}"]


def stop_all_script() -> str:
    """Return lines of shell that end every daemon of a host."""
    return f'{_FUNCTIONS}{_END}for f in {PIDS}/*.pid; do [ ! -e "$f" ] || end "$f"; done\n'


def status_argv(name: str) -> list[str]:
    """Build the command that succeeds while a daemon runs; status 1 says that it has ended."""
    file = shlex.quote(pidfile(name))
    status = f"exec start-stop-daemon --status --pidfile {file}"
    return ["sh", "-c", f"{_FUNCTIONS}! stranger {file} || exit 1\n{status}"]


def signal_argv(signal: str, file: str, program: str = "") -> list[str]:
    """Build the command that sends a signal to the process whose id is in a file, unless it is a stranger.

    `program` is the name of its program: of a file that the daemon itself writes, no start time is noted.
    """
    end = ["start-stop-daemon", "--stop", "--quiet", "--signal", signal, "--pidfile", file]
    end += ["--name", program] if program else []
    return ["sh", "-c", f"{_FUNCTIONS}! stranger {shlex.quote(file)} || exit 1\nexec {shlex.join(end)}"]
