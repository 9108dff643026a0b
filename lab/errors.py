"""Every way in which the lab can fail, by name, and the exit status of a command that fails so.

A message is one sentence: what failed, on what, and what to do. The command line
prints it and exits non-zero; a traceback is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from enum import IntEnum
from itertools import takewhile
from typing import Any, ClassVar

#: Names that `nearest` looks at: finding the nearest of ten thousand takes longer than reading the document.
MOST_NAMES = 500


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to this one, whatever the case; None when none is near."""
    upper = {other.upper(): other for other in list(dict.fromkeys(known))[:MOST_NAMES]}
    wanted = name.upper()[:100]
    near = get_close_matches(wanted, upper, n=10)

    def likeness(other: str) -> tuple[float, int]:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(other, wanted, strict=False))
        return SequenceMatcher(None, other, wanted).ratio(), sum(1 for _ in alike)

    return upper[max(near, key=likeness)] if near else None


class ExitCode(IntEnum):
    """The exit status of a command. ``docs/reference/exit-codes.md`` has the same table, with examples."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CANNOT_TELL = 3
    INTERRUPTED = 130


#: What each exit status says.
EXIT_CODES = {
    ExitCode.DONE: "The command did what it was asked to do.",
    ExitCode.FAILED: "Something failed, or something that was checked is not as it should be.",
    ExitCode.USAGE: "The command line is wrong. Nothing was done.",
    ExitCode.CANNOT_TELL: "The command ran, but the answer to its question cannot be told.",
    ExitCode.INTERRUPTED: "Ctrl-C or a signal ended the command. It removed what it had made.",
}


class LabError(Exception):
    """Base of every error that the lab raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class UsageError(LabError):
    """A command line that is none: an unknown verb, or options that do not go together."""

    exit_code = ExitCode.USAGE


class TopologyError(LabError, ValueError):
    """A graph that is no topology; `faults` names every node and edge at fault."""

    def __init__(self, message: str, faults: Iterable[str] = ()) -> None:
        self.faults = tuple(faults)
        super().__init__(message)


class DslError(LabError, ValueError):
    """A GTS DSL document that cannot be used; each of `faults` has its `line` and `column`."""

    def __init__(self, message: str, faults: Iterable[Any] = ()) -> None:
        self.faults = tuple(faults)
        super().__init__(message)


class FileError(LabError, OSError):
    """A file that cannot be written, or would be overwritten."""


class UnknownName(LabError, LookupError):
    """A name that nothing answers to, with the nearest ones that something does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = nearest(name, self.known)
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(self.known) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class PluginError(LabError, ImportError):
    """A topology, overlay or experiment of another distribution that cannot be used."""


class MachineError(LabError, RuntimeError):
    """This machine lacks something; says what, and the remedy."""


class HostError(LabError, RuntimeError):
    """Something about one host went wrong."""


class CommandError(HostError):
    """A command on a host ended with a status other than zero."""

    def __init__(self, host: str, argv: Sequence[str], status: int, stdout: str, stderr: str) -> None:
        self.host, self.argv, self.status = host, tuple(argv), status
        self.stdout, self.stderr = stdout, stderr
        lines = (stderr.strip() or stdout.strip() or "nothing").splitlines()
        # a program's advice on how to use it comes last and says nothing about what failed
        telling = [
            line for line in lines if line.strip() and not line.startswith(("Run '", "See '"))
        ] or lines
        said = telling[-1][:300]
        super().__init__(f"{host}: {' '.join(argv)[:300]!r} ended with status {status}: {said}")


class HostTimeout(HostError, TimeoutError):
    """A command or a state that did not come before its deadline."""


class HostUnreachable(HostError, ConnectionError):
    """A host to which no connection can be made: `reason` gives the cause and the remedy."""

    def __init__(self, host: str, where: str, reason: str) -> None:
        self.host, self.where, self.reason = host, where, reason
        super().__init__(f"{host} cannot be reached at {where}: {reason}")


class HostLost(HostError, ConnectionError):
    """A connection to a host that dropped while a command ran."""


class InventoryError(LabError, ValueError):
    """An inventory that cannot be used; `faults` names every entry at fault."""

    def __init__(self, source: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{source}: {'; '.join(self.faults)}")


class ClaimsError(LabError, ValueError):
    """A file of claims that is none, or that names what its experiment does not have."""


class HostsLocked(HostError):
    """Hosts that another user has reserved: the user, and the time."""


class ShaperError(LabError, RuntimeError):
    """A link that cannot be shaped as asked, or does not do what it was told."""


class OverlayError(LabError, RuntimeError):
    """An overlay that could not be installed, did not get ready, or lost a peer."""


class NotObtainable(OverlayError):
    """An overlay that this machine or kernel cannot have: why, and the remedy."""

    def __init__(self, overlay: str, reason: str, remedy: str) -> None:
        self.overlay, self.reason, self.remedy = overlay, reason, remedy
        super().__init__(f"{overlay} is not obtainable here: {reason}; {remedy}")


class MeasureError(LabError, RuntimeError):
    """A measuring tool failed, or printed something that is no measurement.

    `traffic` is False where what failed is no traffic, e.g. an option that the kernel does not have.
    """

    def __init__(
        self, tool: str, reason: str, raw: str = "", argv: Sequence[str] = (), traffic: bool = True
    ) -> None:
        self.tool, self.reason, self.raw, self.argv = tool, reason, raw, tuple(argv)
        self.traffic = traffic
        super().__init__(f"{tool}: {reason}")


class BoxError(LabError, RuntimeError):
    """A box of virtual time that cannot be made here, or that ended before its work did."""


class RunError(LabError, RuntimeError):
    """A run folder that cannot be read, resumed or written."""


class PackError(RunError):
    """An archive that is no pack of runs, or not a whole one."""
