"""Boots of the machine that counts: its command line, its files, its console."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import HostTimeout, MeasureError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.icount.initramfs import pack
from lab.icount.kernel import DebianKernel
from lab.icount.programs import QEMU

INIT = Path(__file__).with_name("init.sh")
#: The processor: without random numbers (RDRAND), which would be this machine's own.
CPU = "qemu64"
MEMORY = "512M"
#: ns of the guest's time per instruction, as a power of two.
SHIFT = 0
#: s of wall time for a boot. On two quiet cores it takes some 25 s; on a busy machine several times that.
PATIENCE = 900.0
#: `nokaslr` and `norandmaps` keep addresses equal; the mitigations of a real processor's faults would add
#: instructions that this one does not need, and `quiet` keeps the serial line, which costs, silent.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 nokaslr norandmaps mitigations=off"


@dataclass(frozen=True)
class Guest:
    """A test for the machine: a shell script, modules, and files by the path at which the script finds them.

    `modules` are loaded before the script; of `later`, the files only lie in ``/modules``, and their names
    are in ``$LATER``, in the order in which they can be loaded.
    """

    script: str
    modules: Sequence[str]
    later: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def initramfs(kernel: DebianKernel, guest: Guest) -> bytes:
    """Pack the file system that a guest boots with."""
    before = kernel.modules(guest.modules)
    after = [path for path in kernel.modules(guest.later) if path not in before]
    names = [" ".join(path.name for path in paths) for paths in (before, after)]
    head = f"#!/bin/busybox sh\nMODULES='{names[0]}'\nLATER='{names[1]}'\n"
    return pack(
        {
            **guest.files,
            "/init": (head + INIT.read_text()).encode(),
            "/test": guest.script.encode(),
            "/bin/busybox": kernel.busybox.read_bytes(),
            **{f"/modules/{path.name}": path.read_bytes() for path in (*before, *after)},
        }
    )


def argv(kernel: DebianKernel, first: Path, more: Sequence[str] = ()) -> list[str]:
    """Build the machine's command line; `first` is the file system, `more` are arguments of a caller's own.

    ``sleep=off`` lets the clock jump where the guest would wait, and ``thread=single`` with one virtual CPU
    leaves nothing to chance.
    """
    return [
        QEMU,
        *("-accel", "tcg,thread=single", "-icount", f"shift={SHIFT},sleep=off"),
        *("-rtc", "base=2026-01-01,clock=vm", "-seed", "1", "-cpu", CPU, "-smp", "1", "-m", MEMORY),
        *("-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-nodefaults"),
        *("-kernel", str(kernel.image), "-initrd", str(first), "-append", COMMAND_LINE),
        *more,
    ]


async def boot(
    kernel: DebianKernel, archive: bytes, more: Sequence[str] = (), run: RunCommand = command.run
) -> str:
    """Boot once, run the guest's test to its end, and return what it printed.

    Raises:
        MeasureError: the guest did not come to its end, or its test says that something is wrong.
    """
    with tempfile.TemporaryDirectory() as name:
        first = Path(name, "first.cpio")
        first.write_bytes(archive)
        try:
            result = await run(argv(kernel, first, more), timeout=PATIENCE, check=False)
        except HostTimeout as error:
            raise MeasureError(
                QEMU, f"the guest had not ended after {PATIENCE:g} s; leave the machine more time to itself"
            ) from error
    console = result.stdout.replace("\r", "")
    faults = re.findall(r"^FAULT (.*)$", console, re.MULTILINE)
    if faults or not re.search(r"^END 0$", console, re.MULTILINE):
        last = (console.strip() or result.stderr.strip() or "nothing").splitlines()[-1]
        why = "; ".join(faults) or f"the guest did not come to its end; the last that it printed: {last}"
        raise MeasureError(QEMU, why, console + result.stderr, result.argv)
    return console


def description(kernel: DebianKernel, archive: bytes) -> dict[str, str]:
    """Return in words what figures of this machine depend on, beside the versions of programs."""
    return {
        "cpu": f"{CPU}, one instruction per ns, emulated by QEMU (tcg,thread=single, icount)",
        "memory": MEMORY,
        "command line": COMMAND_LINE,
        "initramfs sha256": hashlib.sha256(archive).hexdigest(),
        **{f"{name} sha256": digest for name, digest in kernel.packages.items()},
    }
