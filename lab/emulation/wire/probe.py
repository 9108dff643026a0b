"""Try the wire, and measure its constant lateness. ``unshare --net python -m lab.emulation.wire.probe``

In the network namespace of this process, which goes with it, a link is built whose two ends
are here as well. Frames are sent in at one end and timed by the kernel at the other: what
they take longer than the delay is the path's own time and the wire's wake-ups. Then the wire
is killed, and frames must not pass. The finding is printed as one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from lab.emulation.links import netns, timestamps
from lab.emulation.links.icmp import checksum
from lab.emulation.links.link import DIRECTIONS, LinkState
from lab.emulation.wire import iptables
from lab.emulation.wire.loop import QueueSpec, WireLoop

DELAY = 2_000_000  # ns, of the link that is tried
SPACING = 0.003  # s between frames: each meets an idle wire, as a ping does
FRAMES = 40  # timed to measure the lateness; a fifth of them is enough to see that the wire works
SETTLING = 3  # frames whose times do not count
WAIT = 0.25  # s after which a frame counts as lost
SLACK = 20_000  # ns by which the clocks of the two ends may differ
SHORT = 0.02  # s in which a frame would have passed an open link
MARK = b"lab wire probe "
LINK = LinkState("probe", 0)
#: What sends bridged packets, also tagged ones, through the packet filter of their own namespace.
BRIDGED = tuple(
    f"/proc/sys/net/bridge/bridge-nf-{what}"
    for what in ("call-iptables", "call-ip6tables", "filter-vlan-tagged", "filter-pppoe-tagged")
)


class ProbeError(Exception):
    """The wire is not available here; the text is the reason, in a few words."""


def run(argv: Sequence[str], stdin: bytes, otherwise: str) -> None:
    """Run a command; raise ProbeError with `otherwise`, what it means when it fails."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise ProbeError(f"{otherwise} (no program {argv[0]})") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise ProbeError(f"{otherwise} ({words[0] if words else 'no word'})")


def build() -> None:
    """Build a link with both ends in this namespace: pa, its ports 0a and 0b on a bridge, pb."""
    if 6 in iptables.families():
        run(["tee", *netns.IPV6_SWITCHES], b"1\n", "IPv6 cannot be set")
    lines = [
        "link add 0a type veth peer name pa",
        "link add 0b type veth peer name pb",
        "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        "link set 0a master br0 up",
        "link set 0b master br0 up",
        "link set pa up",
        "link set pb up",
        "link set br0 up",
    ]
    run(["ip", "-batch", "-"], netns.script(lines), "veths or bridges cannot be made")
    run(["tee", *BRIDGED], b"1\n", "bridges have no packet filter: load the module br_netfilter")


def variant() -> str:
    """Return which of the packet filter's programs work on this kernel; their rules are then in place."""
    reasons = []
    for name in iptables.VARIANTS:
        try:
            for family in iptables.families():
                lacking = f"iptables-{name} has no NFQUEUE for bridges"
                run(iptables.restore(name, family), iptables.table([LINK]), lacking)
            return name
        except ProbeError as error:
            reasons.append(str(error))
            with suppress(ProbeError):  # what one family took must not delay the next variant's packets
                for family in iptables.families():
                    run(iptables.restore(name, family), iptables.OPEN, "")
    raise ProbeError("; ".join(reasons))


def frame(number: int) -> bytes:
    """Build an Ethernet frame with a numbered UDP packet, from pa to anybody."""
    payload = MARK + struct.pack("!I", number)
    udp = struct.pack("!HHHH", 9, 9, 8 + len(payload), 0) + payload
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, b"\xc0\0\2\1", b"\xc0\0\2\2"
    )
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x08\0" + head + udp


def open_ends() -> tuple[socket.socket, socket.socket]:
    """Open sockets on both ends of the link; the second one's frames come with the kernel's time."""
    pair = []
    for name in ("pa", "pb"):
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        end.bind((name, 0))
        end.settimeout(WAIT)
        pair.append(end)
    timestamps.enable(pair[1])
    return pair[0], pair[1]


def crossing(sender: socket.socket, receiver: socket.socket, number: int) -> int | None:
    """Return the time of a frame over the link, ns; None when it does not arrive."""
    wanted = frame(number)
    sent = time.clock_gettime_ns(time.CLOCK_REALTIME)
    sender.send(wanted)
    while True:
        try:
            got, extra, _, _ = receiver.recvmsg(256, 64)
        except TimeoutError:
            return None
        if got == wanted and (stamp := timestamps.arrival(extra)) is not None:
            return stamp - sent


def start_wire() -> int:
    """Run the wire's loop in a process of its own; return its process id once it holds the queues."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            loop = WireLoop()
            loop.set([QueueSpec(LINK.direction_number(d), DELAY, LINK.port_out(d)) for d in DIRECTIONS], 0)
            loop.set_realtime_priority()
            os.write(writer, b"+")
            loop.run()
        except OSError as error:
            os.write(writer, str(error).encode())
        os._exit(1)
    os.close(writer)
    word = os.read(reader, 256)
    if word != b"+":
        raise ProbeError(f"netfilter queues are not available ({word.decode() or 'no word'})")
    return pid


def lateness(frames: int) -> int:
    """Return the median of what frames take longer than the delay, ns."""
    sender, receiver = open_ends()
    pid = start_wire()
    try:
        times = []
        for number in range(SETTLING + frames):
            times.append(crossing(sender, receiver, number))
            time.sleep(SPACING)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    came = [taken - DELAY for taken in times[SETTLING:] if taken is not None]
    if len(came) < frames / 2:
        raise ProbeError(f"of {frames} packets only {len(came)} came through a wire")
    if min(came) < -SLACK:
        raise ProbeError("packets came through a wire before their time")
    receiver.settimeout(SHORT)
    if crossing(sender, receiver, SETTLING + frames) is not None:
        raise ProbeError("packets pass where no wire runs")
    return round(statistics.median(came))


def main() -> int:
    """Try the wire and print the finding."""
    try:
        build()
        finding: dict[str, object] = {"variant": variant()}
        finding["lead"] = lateness(int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES)
    except (ProbeError, OSError) as error:
        finding = {"reason": str(error)}
    sys.stdout.write(json.dumps(finding) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
