"""The test that runs in the machine that counts: every cell's measurements, always all and in one order.

What ran before a measurement has left its marks in the kernel's memory, so a cell has the same figures in
every run only if the same came before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lab.errors import MeasureError
from lab.icount import programs
from lab.icount.machine import Guest
from lab.runs.experiment import Cell

WORLD, PROGRAM = (Path(__file__).with_name(name) for name in ("guest.sh", "packet.c"))
UDP, TCP, WITH_OPENVSWITCH = "udp", "tcp", "udp-openvswitch"
#: Bytes of datagrams: one that fits every overlay, one that just fits an MTU of 1450, iperf 2's, a large one.
SIZES = (1372, 1422, 1470, 8192)
#: Those whose price with `openvswitch` loaded is counted as well.
SIZES_AGAIN = (1422, 1470)
STATES = ("on", "off")
#: Bytes that TCP writes before it reads.
CHUNK = 131072
#: Measurements of which the least counts.
DATAGRAMS, CHUNKS = 500, 60
MODULES = ("crc32c_generic", "veth", "bridge", "vxlan", "sch_ingress", "cls_matchall", "act_gact")
LATER = ("openvswitch",)


class Ends(NamedTuple):
    """The namespaces of a path's two ends, and the address of the second."""

    source: str
    target: str
    address: str


#: Paths by their names, in the order in which they are measured.
PATHS: Mapping[str, Ends] = {
    "underlay": Ends("h1", "h2", "10.0.0.2"),
    "vxlan": Ends("h1", "h2", "10.2.0.2"),
    "flannel": Ends("f1", "f2", "10.3.2.2"),
    "libnetwork": Ends("c1", "c2", "10.1.0.2"),
}
ROW = re.compile(
    r"^PACKET (?P<key>\S+) (?P<part>both|sender) count \d+ least (?P<least>\d+) median (?P<median>\d+) "
    r"mean (?P<mean>[\d.]+) lost (?P<lost>\d+) sent (?P<sent>\d+) got (?P<got>\d+) clock (?P<clock>\d+)$",
    re.MULTILINE,
)


def udp_cell(path: str, size: int, metric: str = UDP) -> Cell:
    """Name the cell of a datagram's size (bytes) on a path."""
    return Cell(path, metric, {"size": size})


def tcp_cell(path: str, state: str) -> Cell:
    """Name the cell of TCP on a path, with the offloads of the ends' own devices on or off."""
    return Cell(path, TCP, {"offload": state})


def script() -> str:
    """Write the test: the world, then a line for every measurement."""
    return "\n".join([WORLD.read_text(), *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    yield from _udp("both", UDP, SIZES)
    yield "drop_at_arrival"
    yield from _udp("sender", UDP, SIZES)
    yield "take_up_again"
    for state in reversed(STATES):
        for path in reversed(list(PATHS)):  # the underlay last: its device is the wire of all others
            yield f"offload {path} {state}"
            yield packet(tcp_cell(path, state), "both", path, CHUNK, CHUNKS)
    yield "offload underlay off"
    yield "load_later"
    yield from _udp("both", WITH_OPENVSWITCH, SIZES_AGAIN)


def _udp(part: str, metric: str, sizes: Sequence[int]) -> Iterator[str]:
    for size in sizes:
        for path in PATHS:
            yield packet(udp_cell(path, size, metric), part, path, size, DATAGRAMS)


def packet(cell: Cell, part: str, path: str, size: int, count: int) -> str:
    """Write the line that measures one part of a cell."""
    kind = TCP if cell.metric == TCP else UDP
    return f"packet {cell.key} {part} {kind} {' '.join(PATHS[path])} {size} {count}"


async def guest() -> Guest:
    """Put the guest together: the test, its own program, and programs of this machine."""
    files = await programs.with_libraries(("ip", "tc", "ethtool"))
    files["/bin/packet"] = await programs.compiled(PROGRAM, ("-static",))
    return Guest(script(), MODULES, LATER, files)


def rows(console: str) -> dict[str, str]:
    """Return what the guest printed of each cell, by the cell's key."""
    found: dict[str, str] = {}
    for match in ROW.finditer(console):
        found[match["key"]] = found.get(match["key"], "") + match[0] + "\n"
    return found


def parse(metric: str, raw: str) -> dict[str, float]:
    """Read the instructions in what the guest printed of one cell.

    `instructions` are those of both hosts for a datagram, or for a byte with TCP: the least of all
    measurements, as a timer's interrupt makes one dearer and nothing makes one cheaper. `median` and `mean`
    are of the same measurements. Where the sender was counted apart, the receiver has the rest. Two readings
    of the clock (`clock`) are part of each figure, but not of the receiver's.

    Raises:
        MeasureError: the text is no measurement, or something was lost.
    """
    parts = {match["part"]: match for match in ROW.finditer(raw)}
    if "both" not in parts:
        raise MeasureError("packet", "the guest printed no figures of this cell", raw)
    both = parts["both"]
    if int(both["lost"]) or both["sent"] != both["got"]:
        raise MeasureError(
            "packet", f"of {both['sent']} bytes {both['got']} came, and {both['lost']} datagrams did not", raw
        )
    per = CHUNK if metric == TCP else 1
    values = {
        "instructions": int(both["least"]) / per,
        "median": int(both["median"]) / per,
        "mean": float(both["mean"]) / per,
        "clock": 2.0 * int(both["clock"]),
    }
    if "sender" in parts:
        sender = int(parts["sender"]["least"])
        values |= {"sender": float(sender), "receiver": float(int(both["least"]) - sender)}
    return values


def sizes(cells: Sequence[Cell]) -> list[int]:
    """Return the sizes of datagrams (bytes) among cells."""
    return sorted({cell.params["size"] for cell in cells if "size" in cell.params})
