"""Run a command on Debian's own kernel in a virtual machine: Docker, cgroup v2, netem, Open vSwitch.

    python tests/kernels/vm.py [--memory 5G] [--timeout 1500] [COMMAND...]

The kernel and a static busybox are fetched as packages and unpacked below `build/`, never installed.
The machine's root is the guest's, read-only, with a file system in memory over it: the guest runs this
machine's programs and the lab as it stands here, and changes no file. Images are on a disk of its own.
Where the machine has KVM the guest is fast; without it, software emulates its processors, and figures
say that things work, not how fast. Without a command three hosts are brought up, on netem.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import initramfs
import store
from run import GUEST, PYTEST, REPORT, ROOT, boot
from run import MODULES as KINDS

from lab.icount import kernel
from lab.icount.kernel import DebianKernel

BUILD = ROOT / "build" / "kernel"
#: The package that depends on the newest kernel. The one for clouds has no 9p.
NEWEST = "linux-image-amd64"
ORDER = "/mnt/order"
MODULES = [*KINDS, "tun"]
#: The guest's own places, in memory: what is the machine's Docker's and lab's is out of its sight.
MOUNTS = [
    ("proc", "proc", "/proc", ""),
    ("sysfs", "sys", "/sys", ""),
    ("cgroup2", "cgroup", "/sys/fs/cgroup", ""),
    ("devpts", "pts", "/dev/pts", "gid=5,mode=620,ptmxmode=666"),
    ("tmpfs", "shm", "/dev/shm", "mode=1777"),
    ("mqueue", "mqueue", "/dev/mqueue", ""),
    ("tmpfs", "run", "/run", "mode=755"),
    ("tmpfs", "containerd", "/var/lib/containerd", "mode=711"),
]
#: Where the disk with images is mounted, when there is one; else these are empty.
STORE = [
    ("ext4", "/dev/vda", "/mnt/store", ""),
    ("none", "/mnt/store/docker", "/var/lib/docker", "bind"),
    ("none", "/mnt/store/lab", "/var/lib/lab", "bind"),
]
NO_STORE = [("tmpfs", name, f"/var/lib/{name}", "") for name in ("docker", "lab")]
TESTS = [*PYTEST, "-svx", "-o", "timeout=1200", "tests/kernels/test_three_hosts.py"]


def fetch() -> DebianKernel:
    """The newest kernel's package and busybox, unpacked."""
    place = BUILD / "files"
    if not (place / kernel.MARK).exists():
        depends = _said("apt-cache", "depends", NEWEST)
        package = next(w for w in depends.split() if w.startswith("linux-image-") and w != NEWEST)
        asyncio.run(kernel.fetch(place, [package, kernel.BUSYBOX]))
    return kernel.unpacked(place)


def _said(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def hardware() -> bool:
    """Whether processors of this machine can run a guest."""
    flags = Path("/proc/cpuinfo").read_text()
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and ("vmx" in flags or "svm" in flags)


def argv(found: DebianKernel, folder: Path, memory: str, disk: Path | None) -> list[str]:
    """The virtual machine's command; the first file system is written into the order's folder."""
    first = folder / "first.cpio"
    first.write_bytes(initramfs.build(found, sys.executable, GUEST, ORDER))
    share = "security_model=none,multidevs=remap"
    return [
        "qemu-system-x86_64",
        *("-accel", "kvm" if hardware() else "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", memory),
        *("-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nodefaults"),
        *("-kernel", str(found.image), "-initrd", str(first)),
        *("-append", "console=ttyS0 quiet panic=-1 nokaslr mitigations=off"),
        *("-virtfs", f"local,path=/,mount_tag=root,readonly=on,{share}"),
        *("-virtfs", f"local,path={folder},mount_tag=report,{share}"),
        *(("-drive", f"file={disk},if=virtio,format=raw,snapshot=on") if disk else ()),
    ]


def carry_out(
    command: list[str], memory: str, timeout: float, keep: Path | None = None, disk: Path | None = None
) -> int:
    """Run a command in the guest; returns its status, or 124 when it did not end in time.

    With a `disk` (see store.py) the guest's Docker has the lab's images.
    """
    if not shutil.which("qemu-system-x86_64"):
        sys.stderr.write("vm.py: no qemu-system-x86_64 on PATH; install Debian's package qemu-system-x86\n")
        return 2
    found = fetch()
    order = {
        "command": command,
        "directory": str(ROOT),
        "mounts": [*MOUNTS, *(STORE if disk else NO_STORE), ("none", ORDER, REPORT, "bind")],
        "modules": MODULES,
        "modules_at": "/lib/modules",
    }
    return boot(order, lambda folder: argv(found, folder, memory, disk), timeout, keep)


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--memory", default="5G")
    parser.add_argument("--timeout", type=float, default=1500.0, help="s, for all of it")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="default: three hosts are brought up")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    box = "kvm" if hardware() else "emulated"
    command = asked.command or ["env", f"LAB_BOX={box}", sys.executable, *TESTS]
    return carry_out(command, asked.memory, asked.timeout, disk=store.disk(BUILD))


if __name__ == "__main__":
    sys.exit(main())
