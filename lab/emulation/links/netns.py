"""Network namespaces by process, name or path, and how a command of this machine gets into one."""

from __future__ import annotations

from collections.abc import Sequence


def path(end: int | str) -> str:
    """The path of a network namespace, given a process in it, its name, or the path itself."""
    if isinstance(end, int):
        return f"/proc/{end}/ns/net"
    return end if "/" in end else f"/run/netns/{end}"


def inside(end: int | str, argv: Sequence[str]) -> list[str]:
    """The argv that runs `argv` in a network namespace: this machine's programs, that network."""
    return ["nsenter", f"--net={path(end)}", *argv]


def ip_batch(end: int | str) -> list[str]:
    """The argv that carries out `ip` commands, one a line on standard input, in a network namespace."""
    return inside(end, ["ip", "-batch", "-"])


def tc_batch(end: int | str) -> list[str]:
    """The argv that carries out `tc` commands, one a line on standard input, in a network namespace."""
    return inside(end, ["tc", "-batch", "-"])


def script(lines: Sequence[str]) -> bytes:
    """Lines as the standard input of a batch."""
    return "".join(f"{line}\n" for line in lines).encode()
