"""The first file system of the tests' virtual machine: its script names what is packed with it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lab.icount.kernel import DebianKernel
from tests.paths import TESTS
from tests.unit.lab.icount.test_initramfs import DEPENDENCIES


@pytest.fixture(scope="module")
def initramfs() -> ModuleType:
    path = TESTS / "kernels" / "initramfs.py"
    spec = importlib.util.spec_from_file_location("initramfs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    kernel = DebianKernel(tmp_path, "6.1.0", {})
    data = initramfs.build(kernel, "/usr/bin/python3", "/lab/guest.py", "/mnt/order")
    assert b"switch_root /new /usr/bin/python3 /lab/guest.py /mnt/order" in data
    assert b"for m in virtio.ko virtio_ring.ko 9pnet.ko 9pnet_virtio.ko netfs.ko 9p.ko" in data
    assert f"/lower{tmp_path}/lib/modules/6.1.0".encode() in data
