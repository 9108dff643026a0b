"""The first file system of a virtual machine: modules in their order, an archive that cpio reads."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.paths import TESTS


@pytest.fixture(scope="module")
def initramfs() -> ModuleType:
    path = TESTS / "kernels" / "initramfs.py"
    spec = importlib.util.spec_from_file_location("initramfs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DEPENDENCIES = """\
kernel/fs/netfs/netfs.ko:
kernel/net/9p/9pnet.ko:
kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko drivers/virtio_ring.ko drivers/virtio.ko
kernel/fs/9p/9p.ko: kernel/fs/netfs/netfs.ko kernel/net/9p/9pnet.ko
drivers/virtio.ko:
drivers/virtio_ring.ko: drivers/virtio.ko
"""


def test_every_module_comes_once_and_after_what_it_needs(initramfs: ModuleType) -> None:
    needs = initramfs.dependencies(DEPENDENCIES)
    # one that is built in, and has no file, is left out
    found = [Path(path).stem for path in initramfs.closure(needs, ("9pnet_virtio", "9p", "overlay"))]
    assert found == ["virtio", "virtio_ring", "9pnet", "9pnet_virtio", "netfs", "9p"]


def test_the_archive_holds_what_was_put_in(initramfs: ModuleType, tmp_path: Path) -> None:
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


def test_what_a_kernel_needs_is_packed_with_a_script_that_names_it(
    initramfs: ModuleType, tmp_path: Path
) -> None:
    modules = tmp_path / "lib/modules/6.1.0"
    for line in DEPENDENCIES.splitlines():
        file = modules / line.split(":")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"module")
    (modules / "modules.dep").write_text(DEPENDENCIES)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/busybox").write_bytes(b"busybox")
    data = initramfs.build(tmp_path, "6.1.0", "/usr/bin/python3", "/lab/guest.py", "/mnt/order")
    assert b"switch_root /new /usr/bin/python3 /lab/guest.py /mnt/order" in data
    assert b"for m in virtio.ko virtio_ring.ko 9pnet.ko 9pnet_virtio.ko netfs.ko 9p.ko" in data
    assert f"/lower{tmp_path}/lib/modules/6.1.0".encode() in data
