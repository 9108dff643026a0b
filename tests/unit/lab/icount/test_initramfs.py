"""First file systems: modules in their order, an archive that cpio reads, the same for the same files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.icount import initramfs

DEPENDENCIES = """\
kernel/fs/netfs/netfs.ko:
kernel/net/9p/9pnet.ko:
kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko drivers/virtio_ring.ko drivers/virtio.ko
kernel/fs/9p/9p.ko: kernel/fs/netfs/netfs.ko kernel/net/9p/9pnet.ko
drivers/virtio.ko:
drivers/virtio_ring.ko: drivers/virtio.ko
"""


def test_every_module_comes_once_and_after_what_it_needs() -> None:
    needs = initramfs.dependencies(DEPENDENCIES)
    # one that is built in, and has no file, is left out
    found = [Path(path).stem for path in initramfs.closure(needs, ("9pnet_virtio", "9p", "overlay"))]
    assert found == ["virtio", "virtio_ring", "9pnet", "9pnet_virtio", "netfs", "9p"]


def test_the_archive_holds_what_was_put_in(tmp_path: Path) -> None:
    none = (0, 0)
    data = initramfs.archive(
        [("bin", initramfs.FOLDER, b"", none), ("bin/odd", initramfs.FILE, b"12345", none)]
    )
    assert data.startswith(b"070701")
    assert len(data) % 4 == 0
    assert data.count(b"070701") == 3
    assert b"TRAILER!!!" in data
    if shutil.which("cpio"):
        subprocess.run(["cpio", "-id", "--quiet"], input=data, cwd=tmp_path, check=True)
        assert (tmp_path / "bin/odd").read_bytes() == b"12345"


def test_files_get_their_folders_and_the_order_makes_no_difference() -> None:
    files = {"/usr/lib/a": b"1", "/bin/b": b"2"}
    data = initramfs.pack(files, folders=("upper",))
    assert data == initramfs.pack(dict(reversed(files.items())), folders=("upper",))
    for name in (b"usr\0", b"usr/lib\0", b"usr/lib/a\0", b"bin/b\0", b"upper\0", b"dev/console\0", b"proc\0"):
        assert name in data
    assert data.index(b"usr\0") < data.index(b"usr/lib\0") < data.index(b"usr/lib/a\0")
    assert data != initramfs.pack({**files, "/bin/b": b"3"}, folders=("upper",))
