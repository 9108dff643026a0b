"""The one way in for documents of any author.

Topologies, side files, traces, schedules, inventories and run folders are read by `read` (a file) or
inside `guarded` (data that is already here). Both bound size, count, depth and time. What a reader did
not foresee becomes an error of the lab with the document's name, and never a traceback.
"""

from __future__ import annotations

import gc
import math
import os
import re
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TypeVar

from lab.errors import LabError

MIB = 1 << 20
#: Seconds for which a pipe may give nothing before it is given up.
SILENCE = 10.0
#: Levels of brackets; our own documents have six.
MOST_DEPTH = 100
#: A wrong character says more than these in a message.
MOST_WORDS = 200
#: Characters of a value in a message.
SHOWN = 100
T = TypeVar("T")
Refuse = Callable[[str], LabError]
_TEXT_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|([\[{])|[\]}]', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Unforeseen(Exception):
    """The mark of an error that no reader foresaw: it is the cause of what `guarded` raises then.

    A user sees a sentence all the same. The fuzzer counts these: each of them is a bug.
    """


class TimeUp(BaseException):
    """The time for a document is over. No reader catches it: it is no `Exception`."""


@dataclass(frozen=True)
class Bounds:
    """Limits of one kind of document.

    Attributes:
        what: a word for this kind of document.
        size: bytes.
        item: a pattern that is found once for each item of this kind of document.
        items: of these in all.
        nested: brackets nest, and are counted; text in double quotes is passed over.
        seconds: processor time for a small document (s), and `seconds_per_mib` for each MiB of it.
            Ten thousand hosts with twenty thousand links take 2 s per MiB on a machine of 2024.
    """

    what: str = "document"
    size: int = 8 * MIB
    item: str = ""
    items: int = 0
    nested: bool = False
    seconds: float = 4.0
    seconds_per_mib: float = 20.0

    def time(self, size: int) -> float:
        """Return the processor time (s) for a document of this size (bytes)."""
        return self.seconds + self.seconds_per_mib * size / MIB


def read(
    file: Path,
    parse: Callable[[str], T],
    refuse: Refuse,
    bounds: Bounds,
    *,
    beneath: Path | None = None,
    pipes: bool = False,
) -> T:
    """Return what `parse` makes of a file's text; every end of a line is a newline in it.

    Args:
        file: the document.
        parse: its reader; its own `LabError`s pass unchanged.
        refuse: makes an error of a sentence.
        bounds: limits of this kind of document.
        beneath: a folder that the file, links followed, must lie in.
        pipes: the user named the file, so it may be a pipe.

    Raises:
        LabError: what `refuse` makes: the file cannot be read, is beyond a bound, or is no such document.
    """
    data = content(file, refuse, bounds, beneath=beneath, pipes=pipes)
    source = printable(file)
    return parsed(decoded(data, source, refuse), source, parse, refuse, bounds)


def parsed(text: str, source: str, parse: Callable[[str], T], refuse: Refuse, bounds: Bounds) -> T:
    """Return what `parse` makes of a text that is here already.

    Raises:
        LabError: see `read`.
    """
    if len(text) > bounds.size:
        raise refuse(_too_large(source, bounds))
    if bounds.item and (beyond := next(islice(re.finditer(bounds.item, text), bounds.items, None), None)):
        line = text.count("\n", 0, beyond.start()) + 1
        raise refuse(f"{source}:{line}: it has more than {bounds.items:,} items; make it smaller")
    if bounds.nested and (at := _too_deep(text)) is not None:
        line = text.count("\n", 0, at) + 1
        raise refuse(f"{source}:{line}: it is nested too deeply; {MOST_DEPTH} levels at most")
    with guarded(source, refuse, bounds.time(len(text))):
        return parse(text)


def _too_deep(text: str) -> int | None:
    """Return the offset of the first bracket that is one level too deep; None when there is none."""
    depth = 0
    for found in _TEXT_OR_BRACKET.finditer(text):
        if found[1]:
            depth += 1
            if depth > MOST_DEPTH:
                return found.start()
        elif found[0] in "]}":
            depth -= 1
    return None


def content(
    file: Path, refuse: Refuse, bounds: Bounds, *, beneath: Path | None = None, pipes: bool = False
) -> bytes:
    """Return the bytes of a file, as many as the bounds allow; see `read` for the rest.

    Raises:
        LabError: what `refuse` makes: it cannot be read, it is too large, or it lies outside `beneath`.
    """
    try:
        with opened(file, pipes) as handle:
            if beneath is not None and not _real(handle, file).is_relative_to(beneath.resolve()):
                raise refuse(f"{printable(file)} leads out of {beneath}; that is not followed")
            data = _bytes(handle, bounds.size + 1)
    except OSError as error:
        if isinstance(error, LabError):
            raise
        raise refuse(f"{printable(file)} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in its name
        raise refuse(f"{printable(file)} cannot be read: {error}") from error
    if len(data) > bounds.size:
        raise refuse(_too_large(printable(file), bounds))
    return data


@contextmanager
def opened(file: Path, pipes: bool = False) -> Iterator[int]:
    """Give a descriptor of a file; opening a pipe does not wait, and devices are refused.

    Raises:
        OSError: it cannot be opened, or it is no regular file.
    """
    allowed = (stat.S_ISREG, stat.S_ISFIFO, stat.S_ISCHR, stat.S_ISSOCK) if pipes else (stat.S_ISREG,)
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "Is a directory")
    if not any(kind(mode) for kind in allowed):
        raise OSError(0, "it is no regular file")
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not any(kind(os.fstat(handle).st_mode) for kind in allowed):
            raise OSError(0, "it is no regular file")
        yield handle
    finally:
        os.close(handle)


def _real(handle: int, file: Path) -> Path:
    """The path of the open file, links followed, even if another file has its name now."""
    at = Path(f"/proc/self/fd/{handle}")
    return at.resolve() if at.exists() else file.resolve()


def _bytes(handle: int, most: int) -> bytes:
    found, deadline = bytearray(), monotonic() + SILENCE
    while len(found) < most:
        try:
            piece = os.read(handle, min(most - len(found), MIB))
        except BlockingIOError:
            if not select.select([handle], [], [], max(0.0, deadline - monotonic()))[0]:
                raise TimeoutError(0, f"nothing comes for {SILENCE:g} s") from None
            continue
        if not piece:
            break
        found += piece
        deadline = monotonic() + SILENCE
    return bytes(found)


def decoded(data: bytes, source: str, refuse: Refuse) -> str:
    """Return bytes as text, with every end of a line as a newline.

    Raises:
        LabError: what `refuse` makes: they are not UTF-8.
    """
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte {error.start} is {data[error.start]:#x}"
        raise refuse(f"{source}:{line}: it is not UTF-8 text: {what}") from error


@contextmanager
def guarded(source: str, refuse: Refuse, seconds: float = math.inf) -> Iterator[None]:
    """Turn whatever goes wrong inside into an error with the document's name; bound the time (s).

    Raises:
        LabError: of its own kind, unchanged, or what `refuse` makes of anything else.
    """
    try:
        with processor_time(seconds), gc_paused():
            yield
    except LabError:
        raise
    except TimeUp:
        raise refuse(f"{source} takes more than {seconds:.0f} s to read; make it smaller") from None
    except RecursionError as error:
        raise refuse(f"{source}: it is nested too deeply") from error
    except OSError as error:
        where = f" ({printable(error.filename)})" if error.filename else ""
        raise refuse(f"{source}: {error.strerror or error}{where}") from error
    except MemoryError as error:
        raise refuse(f"{source} takes more memory than there is; make it smaller") from error
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:MOST_WORDS]}"
        mark = Unforeseen(said)
        mark.__cause__ = error
        raise refuse(
            f"{source}: its content causes an unexpected error ({printable(said)}); "
            "this is a bug of the lab: report it with the file"
        ) from mark


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise `TimeUp` when what is inside takes more processor time (s) than this.

    Only the main thread can be told, by a signal; elsewhere, and inside another such bound, the
    other bounds have to do. The clock is the processor's, so that a busy machine refuses nothing.
    """
    bounded = math.isfinite(seconds) and threading.current_thread() is threading.main_thread()
    if not bounded or signal.getsignal(signal.SIGVTALRM) not in (signal.SIG_DFL, signal.SIG_IGN, None):
        yield
        return

    def over(_: int, __: FrameType | None) -> None:
        raise TimeUp

    former = signal.signal(signal.SIGVTALRM, over)
    try:
        # and again: Python drops what is raised inside a destructor
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.1)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause Python's cycle collector: it walks over all that was read so far, again and again.

    Readers make no cycles, and with it the time per host grows with their number.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def printable(words: object) -> str:
    """Return words in which every control character is written out (``\\x1b``).

    A terminal obeys such characters, and an SVG must not have them. Newlines and tabs stay.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(words))


def legal_xml(svg: bytes) -> bytes:
    """Return an SVG without the control characters that XML does not allow: a name may have brought some."""
    return re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]", "\ufffd".encode(), svg)


def shown(value: object) -> str:
    """Return a value as messages show it: in Python's form, on one line, and not longer than a line."""
    try:
        words = printable(repr(value))
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return f"a very long {type(value).__name__}"
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"


def encodable(words: str) -> bool:
    """Return True for text that can be written as UTF-8: half of a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in words)


def number(value: object) -> float | None:
    """Return a finite number as a float; None for anything else, also for one that no float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return None
    return float(value) if math.isfinite(value) else None


def _too_large(source: str, bounds: Bounds) -> str:
    size = f"{bounds.size // MIB} MiB" if bounds.size >= MIB else f"{bounds.size} bytes"
    return f"{source} has more than {size}; that is no {bounds.what}"
