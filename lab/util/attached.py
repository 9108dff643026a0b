"""Programs that run for minutes: they end with the thread that starts them, however that ends."""

from __future__ import annotations

from collections.abc import Sequence

#: Namespaces of its own for a program's processes and mounts. The kernel ends them with the starting thread.
_OWN = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def argv(program: Sequence[str]) -> list[str]:
    """Return the command that runs a program with all that it starts and mounts attached; it needs root."""
    return ["setpriv", "--pdeathsig", "KILL", *_OWN, *program]
