"""Process 1 of a kernel in virtual time: carries out one check, and prints what it saw as JSON.

guest.py CHECK        (run by test_additions.py; standard library only)
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import select
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

KNOBS = Path("/sys/module/lab_time/parameters")
LIBC = ctypes.CDLL(None, use_errno=True)
NEWPID, SET_NAME, POWER_OFF = 0x20000000, 15, 0x4321FEDC
MS = 1e-3


def knob(name: str, value: str | None = None) -> str:
    """Read a parameter, or write it first."""
    if value is not None:
        (KNOBS / name).write_text(value)
    return (KNOBS / name).read_text().strip()


def say(line: str) -> None:
    """Print a line on the console."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def random_bytes() -> str:
    """Read 16 bytes of the random device."""
    with Path("/dev/urandom").open("rb") as device:
        return device.read(16).hex()


def called(name: str) -> None:
    """Give this thread a name."""
    LIBC.prctl(SET_NAME, name.encode(), 0, 0, 0)


def seconds(work: Callable[[], object]) -> float:
    """Return how long work took (s of virtual time)."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def writes(count: int) -> None:
    """Write so many bytes, one at a time, where nothing takes them."""
    nothing = os.open("/dev/null", os.O_WRONLY)
    for _ in range(count):
        os.write(nothing, b"x")
    os.close(nothing)


def host(work: Callable[[], object], processes: int = 1) -> int:
    """Fork a process that makes a PID namespace, in it so many processes that work; returns its id."""
    if pid := os.fork():
        return pid
    LIBC.unshare(NEWPID)
    first = os.fork()
    if first == 0:
        others = [child for _ in range(processes - 1) if (child := forked(work))]
        work()
        for child in others:
            os.waitpid(child, 0)
        os._exit(0)
    os.waitpid(first, 0)
    os._exit(0)


def forked(work: Callable[[], object]) -> int:
    """Fork a process that works and ends; returns its id."""
    if pid := os.fork():
        return pid
    work()
    os._exit(0)


def together(*hosts: tuple[Callable[[], object], int]) -> float:
    """Return how long hosts took that worked side by side (s)."""

    def run() -> None:
        for pid in [host(work, processes) for work, processes in hosts]:
            os.waitpid(pid, 0)

    return seconds(run)


def sleep() -> object:
    """Sleep 5 s."""
    return seconds(lambda: time.sleep(5))


def counter() -> object:
    """Read the processor's counter of cycles before and after a second of sleep, and in a loop."""
    code = bytes.fromhex("0f3148c1e2204809d0c3")  # rdtsc; both halves into one register; return
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    before = read()
    time.sleep(1)
    slept, end = read() - before, read() + 1_000_000
    while read() < end:  # a loop that waits for the counter comes to its end
        pass
    return slept


def seed() -> object:
    """Take random numbers wherever a program gets some."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    device = random_bytes()
    stack = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[25]
    return {
        "getrandom": os.getrandom(16).hex(),
        "device": device,
        "boot": boot,
        "port": port,
        "hash": hash("text"),
        "stack": stack,
    }


def nap() -> object:
    """Poll a socket that can always be written to, and one with nothing to read, for 100 ms each."""
    ours, _theirs = socket.socketpair()
    end, turns = time.monotonic() + 100 * MS, 0
    while time.monotonic() < end:
        select.select([], [ours], [], 1)
        turns += 1
    spins = int(knob("spins"))
    for _ in range(1000):  # something done in between is no spinning
        select.select([], [ours], [], 1)
        os.getppid()
    later = int(knob("spins")) - spins
    end, looks = time.monotonic() + 100 * MS, 0
    while time.monotonic() < end:
        select.select([ours], [], [], 0)
        looks += 1
    looked = int(knob("spins")) - spins - later
    for _ in range(100):  # a few looks for work, as runtimes take them, are no spinning
        for _ in range(10):
            select.select([ours], [], [], 0)
        os.getppid()
    few = int(knob("spins")) - spins - later - looked
    told = waits(20)
    return {
        "turns": turns,
        "spins": spins,
        "later": later,
        "looks": looks,
        "looked": looked,
        "few": few,
        "told": told,
    }


def waits(times: int) -> int:
    """Wait so often for news that nobody fetches, as a capture does in memory; returns the naps meanwhile."""
    read, write = os.pipe()

    def tell() -> None:
        for _ in range(times):
            time.sleep(MS)
            os.write(write, b"x")

    with select.epoll() as news:
        news.register(read, select.EPOLLIN | select.EPOLLET)
        before, teller = int(knob("spins")), threading.Thread(target=tell)
        teller.start()
        for _ in range(times):
            news.poll()
        naps = int(knob("spins")) - before
    teller.join()
    return naps


def price() -> object:
    """A thousand writes of a process with a price, of one without, and ten messages in one call."""
    knob("prices", "other:1000000,work:40000")
    free = seconds(lambda: writes(1000))
    called("worker")
    priced = seconds(lambda: writes(1000))
    charged = int(knob("charged")), int(knob("charged_ns"))
    threads = [threading.Thread(target=writes, args=(500,)) for _ in range(2)]

    def run() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    in_threads = seconds(run)
    many = seconds(lambda: send_many(10))
    return {"free": free, "priced": priced, "charged": charged, "threads": in_threads, "many": many}


def send_many(count: int) -> int:
    """Send so many datagrams by one sendmmsg."""
    ours, _theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    data = ctypes.create_string_buffer(b"x", 1)
    part = struct.pack("PN", ctypes.addressof(data), 1)
    parts = ctypes.create_string_buffer(part, len(part))
    header = struct.pack("PIPNPNi4xI4x", 0, 0, ctypes.addressof(parts), 1, 0, 0, 0, 0)
    return int(LIBC.sendmmsg(ours.fileno(), header * count, count, 0))


def hosts() -> object:
    """Priced work of two processes, on one host and on two."""
    knob("prices", "worker:40000")

    def work() -> None:
        called("worker")
        writes(1000)

    return {"one": together((work, 2)), "two": together((work, 1), (work, 1))}


def prices() -> object:
    """Write prices that are right and wrong, and read what holds then."""
    seen = [knob("prices", "a:1,b:2")]
    for wrong in ("a", "a:b", ":1", "sixteen_characters:1", "a:1,b", ",".join(f"p{i}:1" for i in range(9))):
        try:
            knob("prices", wrong)
            seen.append(f"{wrong} was taken")
        except OSError:
            seen.append(knob("prices"))
    eight = ",".join(f"p{i}:1" for i in range(8))
    return {"kept": seen, "eight": knob("prices", eight) == eight, "none": knob("prices", "\n")}


def attribute(kind: int, data: bytes) -> bytes:
    """A netlink attribute, padded."""
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes that follow each other in `data`."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[length + -length % 4 :]
    return found


def ask(channel: socket.socket, family: int, command: int, body: bytes, acknowledge: bool = False) -> bytes:
    """Send a generic netlink request, and return the answer behind its two headers."""
    message = struct.pack("BBH", command, 2, 0) + body
    flags = 5 if acknowledge else 1
    channel.send(struct.pack("IHHII", 16 + len(message), family, flags, 1, 0) + message)
    answer = channel.recv(1 << 16)
    if struct.unpack_from("H", answer, 4)[0] == 2 and (error := struct.unpack_from("i", answer, 16)[0]):
        raise OSError(-error, os.strerror(-error))
    return answer[20:]


def upcalls(count: int = 50) -> object:
    """Send packets into a datapath that knows no flow, and receive what it sends up."""
    control = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    control.bind((0, 0))
    up = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    up.bind((0, 0))
    named = attributes(ask(control, 16, 3, attribute(2, b"ovs_datapath\0")))
    family = struct.unpack("H", named[1])[0]
    who = struct.pack("I", up.getsockname()[0])
    ask(control, family, 1, struct.pack("i", 0) + attribute(1, b"dp0\0") + attribute(2, who), True)
    os.system("ip link set dev dp0 up")
    up.setblocking(False)
    time.sleep(3)  # what the kernel sends of itself when a device comes up
    drain(up)
    knob("upcall_ns", "100000")
    before = int(knob("upcalls"))
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    packets.bind(("dp0", 0x88B5))
    for _ in range(count):
        packets.send(b"\xff" * 6 + b"\x02" + b"\0" * 5 + b"\x88\xb5" + b"x" * 50)
    peeked = seconds(lambda: up.recv(1 << 16, socket.MSG_PEEK))
    taken = 0

    def take() -> None:
        nonlocal taken
        taken = drain(up)

    took = seconds(take)
    return {"took": took, "taken": taken, "charged": int(knob("upcalls")) - before, "peeked": peeked}


def drain(channel: socket.socket) -> int:
    """Receive until nothing is left; returns how many messages came."""
    count = 0
    try:
        while channel.recv(1 << 16):
            count += 1
    except BlockingIOError:
        pass
    return count


def loop() -> object:
    """Compute for ever, on a host with a name of its own."""
    socket.sethostname("AMS")
    called("looping (9)")
    say("looping")
    while True:
        pass


def layers() -> object:
    """Put a writable layer over the machine's own files, as hosts have it."""
    for name in ("upper", "work", "root"):
        Path("/run", name).mkdir()
    mount("overlay", "/run/root", "lowerdir=/etc,upperdir=/run/upper,workdir=/run/work")
    Path("/run/root/passwd").write_text("changed")
    Path("/run/root/group").unlink()
    Path("/run/root/new").write_text("new")
    return {
        "lower": Path("/etc/passwd").read_text() != "changed",
        "names": sorted(path.name for path in Path("/run/upper").iterdir()),
        "gone": Path("/run/root/group").exists(),
    }


def mount(kind: str, target: str, options: str = "") -> None:
    """Mount a file system."""
    if LIBC.mount(kind.encode(), target.encode(), kind.encode(), 0, options.encode() or None):
        raise OSError(ctypes.get_errno(), f"mount {kind} {target}")


CHECKS = {f.__name__: f for f in (sleep, counter, seed, nap, price, hosts, prices, upcalls, loop, layers)}


def main() -> None:
    """Carry out the check, and switch off."""
    os.environ.setdefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    for kind, target in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
        mount(kind, target)
    time.sleep(0.05)  # only from its first tick on (10 ms) has the kernel timers finer than that
    try:
        seen = CHECKS[sys.argv[1]]()
    except Exception:
        seen = {"failed": traceback.format_exc()}
    say(f"SEEN {json.dumps(seen)}")
    LIBC.sync()
    LIBC.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
