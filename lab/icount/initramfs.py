"""First root file systems of virtual machines: a cpio archive, and kernel modules in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

FILE, FOLDER, DEVICE = 0o100755, 0o040755, 0o020600
CONSOLE = (5, 1)
NO_DEVICE = (0, 0)
#: Name, mode, content, and the numbers of a device.
Entry = tuple[str, int, bytes, tuple[int, int]]
#: Folders in which a guest mounts the kernel's file systems and its own.
MOUNT_POINTS = ("dev", "proc", "sys", "run", "tmp")


def dependencies(text: str) -> dict[str, list[str]]:
    """Read the text of a modules.dep: the modules that each one needs, by their paths."""
    rows = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {path: needs.split() for path, needs in rows}


def closure(needs: Mapping[str, list[str]], names: Sequence[str]) -> list[str]:
    """Return the paths of modules, each after those that it depends on; one that is built in is left out."""
    found: list[str] = []
    by_name = {Path(path).stem.replace("-", "_"): path for path in needs}
    for name in names:
        if (path := by_name.get(name)) is None:
            continue  # built in
        found += [p for p in [*reversed(needs[path]), path] if p not in found]
    return found


def archive(entries: Sequence[Entry]) -> bytes:
    """Make a cpio archive (newc) of (name, mode, content, device) entries; it has no time and no owner."""
    return b"".join(_records(entries))


def _records(entries: Sequence[Entry]) -> Iterator[bytes]:
    for number, (name, mode, content, device) in enumerate(
        [*entries, ("TRAILER!!!", 0, b"", NO_DEVICE)], start=1
    ):
        numbers = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % n for n in numbers) + name.encode() + b"\0"
        yield head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def pack(files: Mapping[str, bytes], folders: Sequence[str] = ()) -> bytes:
    """Make an archive of files by their absolute paths, the folders that they need and more, and a console.

    The same files give the same archive, whatever their order.
    """
    paths = [PurePosixPath(name.lstrip("/")) for name in files]
    needed = {str(folder) for path in paths for folder in path.parents} - {"."}
    return archive(
        [
            *((name, FOLDER, b"", NO_DEVICE) for name in sorted({*needed, *folders, *MOUNT_POINTS})),
            ("dev/console", DEVICE, b"", CONSOLE),
            *((name.lstrip("/"), FILE, content, NO_DEVICE) for name, content in sorted(files.items())),
        ]
    )
