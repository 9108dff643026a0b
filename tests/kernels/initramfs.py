"""A first root file system for a kernel that boots in a virtual machine: busybox, modules, one script.

It mounts the machine's own root read-only through 9p, lays a file system in memory over it, and hands
over to `guest.py`: so the guest has all programs of the machine, and can change none of its files.
"""

from __future__ import annotations

from lab.icount.initramfs import pack
from lab.icount.kernel import DebianKernel

#: What the kernel needs to mount a 9p share, an overlay, and a disk.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_blk", "ext4", "crc32c_generic")
SCRIPT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for m in {modules}; do $b insmod /modules/$m || echo "no $m"; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /lower
$b mount -t tmpfs -o size=90% upper /upper
$b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new
$b mkdir -p /new/dev /new/lib/modules/{release} /new/usr/sbin
$b mount --bind /lower{kernel}/lib/modules/{release} /new/lib/modules/{release}
$b cp /bin/busybox /new/usr/sbin/modprobe
$b mount --move /dev /new/dev
$b mkdir -p /new{order}
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 report /new{order}
exec $b switch_root /new {python} {guest} {order}
"""


def build(kernel: DebianKernel, python: str, guest: str, order: str) -> bytes:
    """The archive for a kernel's package that was unpacked."""
    modules = kernel.modules(MODULES)
    script = SCRIPT.format(
        modules=" ".join(path.name for path in modules),
        release=kernel.release,
        kernel=kernel.place,
        order=order,
        python=python,
        guest=guest,
    )
    return pack(
        {
            "/bin/busybox": kernel.busybox.read_bytes(),
            "/init": script.encode(),
            **{f"/modules/{path.name}": path.read_bytes() for path in modules},
        },
        folders=("lower", "upper", "new"),
    )
