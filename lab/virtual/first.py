"""The first process of a box: makes a small world, runs one command in it, notes its status, powers off.

    python -S -B first.py

It runs as process 1 of a user-mode Linux kernel, with this machine's file system read-only below it and
with the box's folder (`FOLDER`) as the only place that outlives the box. The order in that folder says
what to do (`lab.virtual.box.Order`). Only the standard library is here: a box starts many times.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

FOLDER = "/run/lab/box"
#: Where the box has its folder: not below /run/lab, which is the lab's own inside.
INSIDE = "/run/box"
ORDER, STATUS = "order.json", "status"
#: Until the first tick of the kernel's clock, timers are exact to 10 ms only (s).
SETTLE = 0.05
POWER_OFF = 0x4321FEDC
LIBC = ctypes.CDLL(None, use_errno=True)
#: Kind, target and options of every mount, in this order.
MOUNTS = (
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devtmpfs", "/dev", ""),
    ("devpts", "/dev/pts", "newinstance,ptmxmode=0666"),
    ("tmpfs", "/dev/shm", "mode=1777"),
    ("tmpfs", "/run", "mode=755"),
    ("hostfs", INSIDE, FOLDER),
    ("cgroup2", "/sys/fs/cgroup", ""),
)
#: What a host on a path with a large bandwidth-delay product needs, and what would differ from run to run.
SYSCTLS = {
    "net/core/rmem_max": "268435456",
    "net/core/wmem_max": "268435456",
    "net/core/fb_tunnels_only_for_init_net": "1",
    "net/ipv4/tcp_rmem": "4096 131072 268435456",
    "net/ipv4/tcp_wmem": "4096 16384 268435456",
    "kernel/randomize_va_space": "0",
    "kernel/pid_max": "4194304",
}
#: Parameters of the kernel's additions, by their name in an order.
PARAMETERS = "/sys/module/lab_time/parameters"


def mount(kind: str, target: str, options: str) -> None:
    """Mount a file system of the kernel's, and make its place first where that can be written."""
    with suppress(OSError):
        Path(target).mkdir(parents=True, exist_ok=True)
    if LIBC.mount(kind.encode(), target.encode(), kind.encode(), 0, options.encode() or None):
        error = ctypes.get_errno()
        raise OSError(error, f"{kind} cannot be mounted: {os.strerror(error)}", target)


def put(path: str, text: str) -> None:
    """Write a file of the kernel's."""
    Path(path).write_text(text)


def wait_as_first(pid: int) -> int:
    """Wait for a process and return its status; also reap orphans, the duty of process 1."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Set the world up, carry the order out, write its status."""
    time.sleep(SETTLE)
    for kind, target, options in MOUNTS:
        mount(kind, target, options)
    order = json.loads(Path(INSIDE, ORDER).read_text())
    for name, value in SYSCTLS.items():
        with suppress(FileNotFoundError):
            put(f"/proc/sys/{name}", value)
    for name, value in order["parameters"].items():
        put(f"{PARAMETERS}/{name}", value)
    for link, target in order["links"].items():
        Path(link).parent.mkdir(parents=True, exist_ok=True)
        Path(link).symlink_to(target)
    Path("/run/tmp").mkdir()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, env=order["environment"])
    command = subprocess.Popen(order["argv"], cwd=order["directory"], env=order["environment"])
    put(f"{INSIDE}/{STATUS}", str(wait_as_first(command.pid)))


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()  # the kernel halts before Python would
    finally:
        sys.stdout.flush()
        os.sync()
        LIBC.reboot(POWER_OFF)
