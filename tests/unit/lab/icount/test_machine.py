"""The machine that counts: its command line leaves nothing to chance, and a boot that fails says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HostTimeout, MeasureError
from lab.hosts.host import Result
from lab.icount import machine
from lab.icount.kernel import DebianKernel
from lab.icount.machine import Guest


@pytest.fixture
def kernel(tmp_path: Path) -> DebianKernel:
    modules = tmp_path / "lib/modules/6.1.0"
    (modules / "net").mkdir(parents=True)
    names = ("udp_tunnel", "vxlan", "openvswitch")
    for name in names:
        (modules / f"net/{name}.ko").write_bytes(name.encode())
    rows = ("net/udp_tunnel.ko:", "net/vxlan.ko: net/udp_tunnel.ko", "net/openvswitch.ko: net/udp_tunnel.ko")
    (modules / "modules.dep").write_text("\n".join(rows) + "\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/busybox").write_bytes(b"BUSYBOX")
    return DebianKernel(tmp_path, "6.1.0", {"linux-image-x_1": "ab"})


def answering(console: str, status: int = 0) -> Any:
    async def run(argv: Sequence[str], **_: Any) -> Result:
        return Result(tuple(argv), status, console, "", 0.0)

    return run


def test_one_processor_counts_instructions_and_nothing_of_this_machine_gets_in(kernel: DebianKernel) -> None:
    words = machine.argv(kernel, Path("/first"))
    text = " ".join(words)
    assert "-accel tcg,thread=single -icount shift=0,sleep=off" in text
    assert "-rtc base=2026-01-01,clock=vm -seed 1 -cpu qemu64 -smp 1" in text
    assert "-nodefaults" in words
    assert not any(word in text for word in ("-netdev", "-drive", "-virtfs", "kvm"))
    assert "nokaslr norandmaps" in words[words.index("-append") + 1]


def test_modules_are_packed_in_order_and_those_for_later_only_lie_there(kernel: DebianKernel) -> None:
    guest = Guest("echo hello", ["vxlan"], ["openvswitch"], {"/bin/packet": b"PROGRAM"})
    data = machine.initramfs(kernel, guest)
    assert b"MODULES='udp_tunnel.ko vxlan.ko'\nLATER='openvswitch.ko'\n" in data
    assert data.count(b"modules/udp_tunnel.ko\0") == 1
    assert all(part in data for part in (b"BUSYBOX", b"PROGRAM", b"echo hello", b"modules/openvswitch.ko\0"))


async def test_a_boot_returns_what_the_guest_printed(kernel: DebianKernel) -> None:
    assert await machine.boot(kernel, b"", run=answering("PACKET 1\r\nEND 0\r\n")) == "PACKET 1\nEND 0\n"


@pytest.mark.parametrize(
    ("console", "why"),
    [
        ("PACKET 1\nKernel panic\n", "did not come to its end; the last that it printed: Kernel panic"),
        ("END 1\n", "did not come to its end"),
        ("FAULT 10.0.0.2 does not answer h1\nEND 0\n", "10.0.0.2 does not answer h1"),
        ("", "the last that it printed: nothing"),
    ],
)
async def test_a_boot_that_fails_says_why(kernel: DebianKernel, console: str, why: str) -> None:
    with pytest.raises(MeasureError, match=why):
        await machine.boot(kernel, b"", run=answering(console))


async def test_a_boot_has_a_deadline(kernel: DebianKernel) -> None:
    async def run(argv: Sequence[str], **_: Any) -> Result:
        raise HostTimeout("late")

    with pytest.raises(MeasureError, match="had not ended after 900 s; leave the machine more time"):
        await machine.boot(kernel, b"", run=run)


def test_the_description_has_the_hash_of_every_part(kernel: DebianKernel) -> None:
    words = machine.description(kernel, b"archive")
    assert words["linux-image-x_1 sha256"] == "ab"
    assert len(words["initramfs sha256"]) == 64
    assert words != machine.description(kernel, b"another")
