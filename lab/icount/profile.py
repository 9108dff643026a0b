"""Instructions by function of the guest's kernel, counted by a plugin of QEMU.

Two boots that differ only in how many datagrams are sent are subtracted: what remains is the datagrams'.
"""

from __future__ import annotations

import gzip
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import MeasureError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.icount.kernel import DebianKernel
from lab.icount.machine import boot
from lab.icount.programs import QEMU, compiled
from lab.util.concurrency import together

PLUGIN = Path(__file__).with_name("count.c")
#: Lines for the end of a guest's test: the kernel's functions, on the second serial line.
SEND_SYMBOLS = """\
echo 0 > /proc/sys/kernel/kptr_restrict
grep -i ' [tw] ' /proc/kallsyms | gzip > /tmp/symbols.gz
stty -F /dev/ttyS1 raw
cat /tmp/symbols.gz > /dev/ttyS1
"""
#: Addresses below are those of programs.
KERNEL = 1 << 47
PROGRAMS = "programs"


@dataclass(frozen=True)
class Symbols:
    """The functions of a kernel and its modules, in the order of their addresses."""

    addresses: Sequence[int]
    names: Sequence[str]

    @classmethod
    def read(cls, kallsyms: str) -> Symbols:
        """Read the text of ``/proc/kallsyms``; a module's function is named ``function [module]``."""
        rows = sorted(
            (int(words[0], 16), " ".join([words[2], *words[3:4]]))
            for words in map(str.split, kallsyms.splitlines())
            if len(words) >= 3
        )
        return cls([address for address, _ in rows], [name for _, name in rows])

    def name(self, address: int) -> str:
        """Return the function at an address, or `PROGRAMS` for one outside of the kernel."""
        place = bisect_right(self.addresses, address) - 1
        return PROGRAMS if address < KERNEL or place < 0 else self.names[place]


def by_function(few: str, many: str, symbols: Symbols, datagrams: float) -> dict[str, float]:
    """Return the instructions of one datagram by function, the most first.

    `few` and `many` are what the plugin wrote in two boots, of which the second sent `datagrams` more.
    """
    total: Counter[str] = Counter()
    for text, sign in ((few, -1), (many, 1)):
        for line in text.splitlines():
            address, count = line.split()
            total[symbols.name(int(address, 16))] += sign * int(count)
    return {name: count / datagrams for name, count in total.most_common() if count}


async def counted(
    kernel: DebianKernel, archives: Sequence[bytes], run: RunCommand = command.run
) -> tuple[list[str], Symbols]:
    """Boot each archive once under the plugin; returns what it counted in each, and the kernel's functions.

    Raises:
        MeasureError: a boot failed, or this QEMU takes no plugins.
        MachineError: the plugin cannot be compiled.
    """
    plugin = await compiled(PLUGIN, ("-shared", "-fPIC"), run)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "count.so").write_bytes(plugin)

        async def one(number: int) -> str:
            out, symbols = folder / f"counts.{number}", folder / f"symbols.{number}"
            more = ["-serial", f"file:{symbols}", "-plugin", f"file={folder / 'count.so'},out={out}"]
            await boot(kernel, archives[number], more, run)
            if not out.exists():
                raise MeasureError(QEMU, "it does not support plugins, which count instructions by function")
            return out.read_text()

        texts = await together(one(number) for number in range(len(archives)))
        return texts, Symbols.read(_unpacked(folder / "symbols.0"))


def _unpacked(file: Path) -> str:
    try:
        return gzip.decompress(file.read_bytes()).decode()
    except (OSError, EOFError) as error:
        raise MeasureError(QEMU, f"the guest's list of functions did not arrive whole ({error})") from error


def table(profiles: Mapping[str, Mapping[str, float]], most: int) -> list[list[str]]:
    """Make rows of functions, the largest differences between paths first, and a row of the rest."""
    names = {name for found in profiles.values() for name in found}

    def spread(name: str) -> float:
        figures = [found.get(name, 0.0) for found in profiles.values()]
        return max(figures) - min(figures) if len(figures) > 1 else figures[0]

    shown = sorted(names, key=lambda name: (-spread(name), name))[:most]
    rows = [[name, *(f"{found.get(name, 0):.0f}" for found in profiles.values())] for name in shown]
    rest = [sum(found.values()) - sum(found.get(name, 0) for name in shown) for found in profiles.values()]
    total = [f"{sum(found.values()):.0f}" for found in profiles.values()]
    return [*rows, ["all other functions", *(f"{one:.0f}" for one in rest)], ["all", *total]]
