"""A first root file system for a kernel that boots in a virtual machine: busybox, modules, one script.

It mounts the machine's own root read-only through 9p, lays a file system in memory over it, and hands
over to `guest.py`: so the guest has all programs of the machine, and can change none of its files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

#: What the kernel needs to mount a 9p share, an overlay, and a disk.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_blk", "ext4", "crc32c_generic")
FILE, FOLDER, DEVICE = 0o100755, 0o040755, 0o020600
CONSOLE = (5, 1)
#: Name, mode, content, and the numbers of a device.
Entry = tuple[str, int, bytes, tuple[int, int]]

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


def closure(needs: Mapping[str, list[str]], names: tuple[str, ...]) -> list[str]:
    """Paths of modules, each after what it depends on."""
    found: list[str] = []
    by_name = {Path(path).stem.replace("-", "_"): path for path in needs}
    for name in names:
        if (path := by_name.get(name)) is None:
            continue  # built in
        found += [p for p in [*reversed(needs[path]), path] if p not in found]
    return found


def dependencies(text: str) -> dict[str, list[str]]:
    """What modules.dep says: the modules that each one needs, by their paths."""
    rows = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {path: needs.split() for path, needs in rows}


def archive(entries: list[Entry]) -> bytes:
    """A cpio archive (newc) of (name, mode, content, device) entries."""
    return b"".join(_records(entries))


def _records(entries: list[Entry]) -> Iterator[bytes]:
    for number, (name, mode, content, device) in enumerate(
        [*entries, ("TRAILER!!!", 0, b"", (0, 0))], start=1
    ):
        numbers = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % n for n in numbers) + name.encode() + b"\0"
        yield head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def build(kernel: Path, release: str, python: str, guest: str, order: str) -> bytes:
    """The archive for a kernel's package that was unpacked below `kernel`."""
    modules = kernel / "lib/modules" / release
    paths = closure(dependencies((modules / "modules.dep").read_text()), MODULES)
    script = SCRIPT.format(
        modules=" ".join(Path(p).name for p in paths),
        release=release,
        kernel=kernel,
        order=order,
        python=python,
        guest=guest,
    )
    folders = ("bin", "dev", "modules", "lower", "upper", "new")
    none = (0, 0)
    return archive(
        [
            *((name, FOLDER, b"", none) for name in folders),
            ("dev/console", DEVICE, b"", CONSOLE),
            ("bin/busybox", FILE, (kernel / "bin/busybox").read_bytes(), none),
            ("init", FILE, script.encode(), none),
            *((f"modules/{Path(p).name}", FILE, (modules / p).read_bytes(), none) for p in paths),
        ]
    )
