"""Network namespaces by process, name or path, and how commands and threads of this machine enter them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from lab.hosts.command import RunCommand

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
#: Lines of a batch. `ip` keeps the file of each namespace that a line names open, and may have 1,024 of them.
AT_ONCE = 900
#: A namespace without IPv6 sends nothing by itself.
IPV6_SWITCHES = tuple(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6" for which in ("all", "default"))
#: Small programs of the lab's start without site-packages (``python -S``), in a tenth of the time; this is
#: where they find the lab. They import this module: pathlib would cost them more than all else here.
OWN_MODULES = {"PYTHONPATH": __file__.rsplit("/", 4)[0]}


def of_lab(lab_id: str) -> str:
    """Return the name of the network namespace in which a lab has its links."""
    return f"lab-{lab_id}"


def path(end: int | str) -> str:
    """Return the path of a network namespace, given a process in it, its name, or the path itself."""
    if isinstance(end, int):
        return f"/proc/{end}/ns/net"
    return end if "/" in end else f"/run/netns/{end}"


def inside(end: int | str, argv: Sequence[str]) -> list[str]:
    """Return the argv that runs `argv` in a network namespace: this machine's programs, that network."""
    return ["nsenter", f"--net={path(end)}", *argv]


def script(lines: Sequence[str]) -> bytes:
    """Return lines as the standard input of a batch."""
    return "".join(f"{line}\n" for line in lines).encode()


async def batch(
    program: str, end: int | str, lines: Sequence[str], run: RunCommand, env: Mapping[str, str] | None = None
) -> None:
    """Run commands of `ip` or `tc` in a network namespace, in as few processes as can be, with `env`.

    Raises:
        CommandError: one of them failed; it is named.
    """
    for first in range(0, len(lines), AT_ONCE):
        await _batch(program, end, lines[first : first + AT_ONCE], run, env)


async def _batch(
    program: str, end: int | str, lines: Sequence[str], run: RunCommand, env: Mapping[str, str] | None
) -> None:
    from lab.errors import CommandError

    try:
        await run(inside(end, [program, "-batch", "-"]), stdin=script(lines), env=env)
    except CommandError as error:
        said, _, number = error.stderr.strip().rpartition("Command failed -:")
        if not number.isdigit():
            raise
        argv = inside(end, [program, *lines[int(number) - 1].split()])
        raise CommandError(error.host, argv, error.status, error.stdout, said) from error


@contextmanager
def entered(end: int | str) -> Iterator[None]:
    """Put this thread into a network namespace for a moment.

    Raises:
        OSError: it is gone, or there is no right to enter it.
    """
    with open("/proc/thread-self/ns/net") as home:
        _enter(end)
        try:
            yield
        finally:
            _setns(home.fileno())


def in_each(namespaces: Mapping[str, str], work: Callable[[str], T]) -> dict[str, T]:
    """Do work in several network namespaces, by a thread that goes through them; return the results by name.

    One that cannot be entered is left out.

    Args:
        namespaces: paths, by any name.
        work: called with that name.
    """
    from concurrent.futures import ThreadPoolExecutor

    def visit() -> dict[str, T]:
        results = {}
        for name, end in namespaces.items():
            with suppress(OSError):
                _enter(end)
                results[name] = work(name)
        return results

    # the thread ends with its namespace; no other work ever runs in it
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(visit).result()


def _enter(end: int | str) -> None:
    with open(path(end)) as there:
        _setns(there.fileno())


def _setns(descriptor: int) -> None:
    import ctypes  # os.setns is there from Python 3.12 on

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
