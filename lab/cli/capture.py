"""lab capture: write down what goes over a link or through a host."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from lab.cli.options import LabOption
from lab.cli.process import need_root
from lab.errors import FileError, LabError
from lab.util import invoker

if TYPE_CHECKING:
    from lab.emulation.registry import Record


def command(
    place: Annotated[str, typer.Argument(help="A link (captured at both ends), or a host (all its links).")],
    file: Annotated[str, typer.Option("--write", "-w", help="A new file; '-' is standard output.")] = "",
    expression: Annotated[str, typer.Option("--filter", "-f", help="Filter, in tcpdump's language.")] = "",
    end: Annotated[str, typer.Option(help="Of a link: capture only at this host.")] = "",
    seconds: Annotated[
        float | None, typer.Option("--seconds", "-s", min=0, help="Stop after this many seconds.")
    ] = None,
    size: Annotated[float | None, typer.Option(min=0, help="Stop after this many MiB.")] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-c", min=1, help="Stop after this many packets.")
    ] = None,
    snaplen: Annotated[
        int, typer.Option(min=64, max=65_549, help="How many bytes of each packet to keep.")
    ] = 65_549,
    lab: LabOption = "",
) -> None:
    """Capture packets of a link or a host, as pcapng.

    Needs root. Ends at a limit or with Ctrl-C. A link is captured at both ends: a packet is seen at its
    sender first, and at the other end after the delay, the rate and the loss of the link.

    Example: sudo lab capture AMS-PRG -f "udp port 8472" -w - | wireshark -k -i -
    """
    from lab.emulation.registry import find
    from lab.live.capture import Capture, Limits, Writer, capture_points, open_sockets

    need_root("capture")
    record = find(lab)
    where = capture_points(record, place, end)
    if not where:
        raise LabError(f"{place} of lab {record.name} has no link, so nothing goes through it")
    program = _filter(record, expression) if expression else []
    limits = Limits(seconds, None if size is None else int(size * 2**20), count, snaplen)
    name = file or f"{record.name}-{place}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.pcapng"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_sockets(where, program) as sockets, _target(name) as target:
        capture = Capture(where, sockets, Writer(target, name), limits)
        try:
            capture.run()
        finally:
            lost = f", {capture.missed} missed: there was no time to keep them" if capture.missed else ""
            print(f"{capture.packets} packets{lost}; {capture.why}: {name}", file=sys.stderr)


@contextmanager
def _target(name: str) -> Iterator[BinaryIO]:
    """Open a new file, or standard output.

    Raises:
        FileError: there is such a file already, or it cannot be made.
    """
    if name == "-":
        if sys.stdout.isatty():
            raise FileError("packets are no text; write to a file, or pipe '-w -' into wireshark")
        yield sys.stdout.buffer
        return
    try:
        with Path(name).open("xb", buffering=0) as target:
            invoker.give_file(target.fileno(), Path(name).parent)
            yield target
    except FileExistsError as error:
        raise FileError(f"{name} is there already; give another name") from error


def _filter(record: Record, expression: str) -> list[tuple[int, ...]]:
    """Compile an expression by the tcpdump of a host that runs, else by this machine's."""
    from lab.live.capture import compile_filter
    from lab.live.enter import Entry

    for host in record.hosts:
        if host.process.alive() and not host.confined:
            way = Entry(host)
            return compile_filter(way.command([]), expression, dict(way.environment()))
    return compile_filter([], expression)
