"""Makes hosts that are namespaces, many in one process: ``python -S -m lab.emulation.light.starter``.

The order, on standard input, is JSON: ``folder``, one of this machine's in which the file systems are put
together; ``root``, the folder of a root file system; ``seeds``, more such folders by the place where a host
finds them; ``capabilities``, those that a host keeps; ``hosts``, each with ``name`` and ``env``. The answer
has a line of JSON per host: ``name`` and ``pid`` of its first process, or ``error``.

A host is made by system calls: a dozen programs for each (unshare, mount, ip …) would start slowly, above all
in user-mode Linux. All that a host has lies in its own namespaces, so it ends with its first process.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import stat
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    *(0x00020000, 0x04000000, 0x08000000),
    *(0x20000000, 0x40000000),
)
NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE, MNT_DETACH = 1 << 14, 1 << 18, 2
PR_CAPBSET_DROP = 24
#: The number of pivot_root, which libc does not have, where it is not that of most architectures.
PIVOT_ROOT = {"x86_64": 155}.get(platform.machine(), 41)
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
#: By their number (linux/capability.h).
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *(
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
    ),
    *(
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
    ),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL"),
    *(
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
    ),
    *("BPF", "CHECKPOINT_RESTORE"),
)
#: Devices of a host, with the numbers that they have on every Linux (Documentation/admin-guide/devices.txt).
DEVICES = {
    "dev/null": (1, 3),
    "dev/zero": (1, 5),
    "dev/full": (1, 7),
    "dev/random": (1, 8),
    "dev/urandom": (1, 9),
    "dev/tty": (5, 0),
    "dev/net/tun": (10, 200),
}
LINKS = {
    "dev/ptmx": "pts/ptmx",
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
}
#: So many hosts are made side by side: the kernel makes network namespaces one after the other anyway.
AT_ONCE = 8
#: Ends nothing by itself, and waits for processes whose parent has gone.
FIRST_PROCESS = ("/usr/bin/tini", "--", "/usr/bin/sleep", "infinity")

LIBC = ctypes.CDLL(None, use_errno=True)


def call(words: str, function: str, *arguments: Any) -> None:
    """Call a function of libc.

    Raises:
        OSError: it failed; `words` say at what.
    """
    if getattr(LIBC, function)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), f"{words}: {os.strerror(ctypes.get_errno())}")


def mount(kind: str, source: str, target: Path, flags: int = 0, options: str = "") -> None:
    """Mount a file system, and make its mount point if needed.

    Raises:
        OSError: the kernel refuses.
    """
    target.mkdir(parents=True, exist_ok=True)
    words = (source.encode(), str(target).encode(), kind.encode() or None, flags, options.encode() or None)
    call(f"mounting {kind or source} on {target}", "mount", *words[:3], ctypes.c_ulong(flags), words[4])


def overlay_options(lower: str, own: Path) -> str:
    """Return the mount options of a root file system: reads `lower`, writes to folders in `own`."""
    escaped = "".join(f"\\{letter}" if letter in "\\:," else letter for letter in lower)
    return f"lowerdir={escaped},upperdir={own}/upper,workdir={own}/work"


def build_root(order: Mapping[str, Any], folder: Path) -> Path:
    """Put together the file systems of a host, in a mount namespace of its own; return their root."""
    mount("", "none", Path("/"), MS_REC | MS_PRIVATE)
    mount("tmpfs", "lab-host", folder, MS_NODEV, "mode=0755")
    root, own = folder / "root", MS_NOSUID | MS_NODEV
    for name in ("upper", "work"):
        (folder / name).mkdir()
    mount("overlay", "lab-host", root, 0, overlay_options(order["root"], folder))
    for inside, outside in order["seeds"].items():
        mount("", outside, root / inside.lstrip("/"), MS_BIND)
        mount("", "none", root / inside.lstrip("/"), MS_BIND | MS_REMOUNT | MS_RDONLY)
    mount("proc", "proc", root / "proc", own | MS_NOEXEC)
    mount("sysfs", "sysfs", root / "sys", own | MS_NOEXEC)
    # of this mount alone: the file system is also mounted by endpoints
    mount("", "none", root / "sys", MS_BIND | MS_REMOUNT | MS_RDONLY | own | MS_NOEXEC)
    mount("tmpfs", "run", root / "run", own, "mode=0755")
    mount("tmpfs", "tmp", root / "tmp", own, "mode=1777")
    mount("tmpfs", "dev", root / "dev", MS_NOSUID, "mode=0755")
    mount("tmpfs", "shm", root / "dev/shm", own, "mode=1777")
    mount(
        "devpts",
        "devpts",
        root / "dev/pts",
        MS_NOSUID | MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=620,gid=5",
    )
    return root


def fill(root: Path, name: str) -> None:
    """Write what a host finds in /dev and /etc."""
    os.umask(0)
    (root / "dev/net").mkdir(mode=0o755)
    for device, numbers in DEVICES.items():
        os.mknod(root / device, stat.S_IFCHR | 0o666, os.makedev(*numbers))
    for link, target in LINKS.items():
        (root / link).symlink_to(target)
    os.umask(0o022)
    (root / "etc/hostname").write_text(f"{name}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 {name}\n")


def enter_root(root: Path) -> None:
    """Make `root` the root of this process's mount namespace, and let go of this machine's file systems."""
    os.chdir(root)
    call("changing the root", "syscall", ctypes.c_long(PIVOT_ROOT), b".", b".")
    call("letting the old root go", "umount2", b".", MNT_DETACH)
    os.chdir("/")


def set_up_network() -> None:
    """Let the host forward packets, and bring its loopback up."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def drop_capabilities(kept: Sequence[str]) -> None:
    """Take from this process and all that it starts the capabilities that are not in the list."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        name = CAPABILITIES[number] if number < len(CAPABILITIES) else ""
        if name not in kept:
            call(f"dropping capability {number}", "prctl", PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)


def become_host(order: Mapping[str, Any], host: Mapping[str, Any]) -> None:
    """Turn this process, the first of its namespaces, into a host; returns only by an error.

    Raises:
        OSError: the kernel refuses something.
    """
    os.setsid()
    root = build_root(order, Path(order["folder"]))
    fill(root, host["name"])
    enter_root(root)
    socket.sethostname(host["name"])
    set_up_network()
    drop_capabilities(order["capabilities"])
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    for number in (signal.SIGPIPE, signal.SIGINT):  # of which Python does not have the usual
        signal.signal(number, signal.SIG_DFL)
    os.execve(FIRST_PROCESS[0], FIRST_PROCESS, host["env"])


def start(order: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """Start a host from a process of its own; returns its name with its first pid, or an error.

    Raises:
        OSError: this process cannot have namespaces of its own.
    """
    call("making namespaces", "unshare", NAMESPACES)
    heard, told = os.pipe()  # closed by the host's first program
    pid = os.fork()
    if pid == 0:
        try:
            become_host(order, host)
        except BaseException as error:
            os.write(told, str(error).encode())
        os._exit(1)
    os.close(told)
    with os.fdopen(heard) as pipe:
        said = pipe.read()
    if not said:
        return {"name": host["name"], "pid": pid}
    os.waitpid(pid, 0)
    return {"name": host["name"], "error": said}


def start_all(order: Mapping[str, Any]) -> None:
    """Start all hosts, each by a child that ends with it, and write a line for each.

    It stops when the process that asked has gone: what was killed makes no more hosts.
    """
    parent, busy = os.getppid(), 0
    for host in order["hosts"]:
        if busy == AT_ONCE:
            os.wait()
            busy -= 1
        if os.getppid() != parent:
            break
        if os.fork() == 0:
            try:
                answer = start(order, host)
            except OSError as error:
                answer = {"name": host["name"], "error": str(error)}
            os.write(1, f"{json.dumps(answer)}\n".encode())  # in one piece
            os._exit(0)
        busy += 1
    for _ in range(busy):
        os.wait()


if __name__ == "__main__":
    start_all(json.load(sys.stdin))
