"""lab logs: the logs of the daemons of a lab."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from threading import Lock, Thread
from typing import Annotated

import typer

from lab.cli.options import LabOption
from lab.cli.process import need_root


def command(
    which: Annotated[
        str, typer.Argument(help="A host, an overlay, or 'wire' (the process that shapes links).")
    ],
    lab: LabOption = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the logs until Ctrl-C.")] = False,
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="How many lines of each log.")] = 100,
) -> None:
    """Show the logs of daemons: those on a host, or those of an overlay on all hosts.

    Needs root. Every line begins with the host and the daemon that wrote it.

    Example: sudo lab logs weave -f
    """
    from lab.cli.topologies import tell
    from lab.emulation.registry import find
    from lab.live.logs import commands

    need_root("logs")
    _show(commands(find(lab), which, last, follow, tell))


def _show(sources: Mapping[str, list[str]]) -> None:
    """Run one command per source and print their lines as they come, each with its source's name."""
    width, lock = max(map(len, sources), default=0), Lock()
    running = {
        name: subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        for name, argv in sources.items()
    }

    def copy(name: str) -> None:
        for line in running[name].stdout or ():
            with lock:
                sys.stdout.write(f"{name.ljust(width)}  {line.rstrip()}\n")
                sys.stdout.flush()

    threads = [Thread(target=copy, args=(name,), daemon=True) for name in running]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for one in running.values():
            one.kill()
            one.wait()
