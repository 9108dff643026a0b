"""Files that are there whole or not at all, and that do not vanish under another.

What root writes in a folder of who ran it with sudo belongs to that person (see `invoker`).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.errors import FileError, MachineError
from lab.util import invoker


def write(files: Mapping[Path, bytes], *, force: bool = False) -> None:
    """Write files that belong together: first each beside its place, then all into it.

    Args:
        files: what to write where.
        force: overwrite what is there.

    Raises:
        FileError: one is there already and `force` is not set, something that is no file is
            there (a device would be gone for all), or the disk refuses.
    """
    if odd := [str(path) for path in files if path.exists() and not path.is_file()]:
        raise FileError(f"{' and '.join(odd)}: no file but something else is there; name another")
    there = [str(path) for path in files if os.path.lexists(path)]
    if there and not force:
        raise FileError(f"{' and '.join(there)} exist{'s' * (len(there) == 1)}; --force overwrites")
    try:
        with ExitStack() as stack:
            mode = 0o666 & ~_umask()
            waiting = {
                path: stack.enter_context(_temporary(path, data, mode, sync=True))
                for path, data in files.items()
            }
            for path, temporary in waiting.items():
                _place(temporary, path, force)
            for folder in {path.parent for path in files}:
                sync_folder(folder)
    except FileExistsError as error:
        raise FileError(f"{error.filename2 or error.filename} exists; --force overwrites") from error
    except OSError as error:
        raise FileError(f"{', '.join(map(str, files))} cannot be written: {error.strerror}") from error


def replace(path: Path, text: str | bytes, *, mode: int = 0o644, sync: bool = False) -> None:
    """Replace a file by a text, so that readers see the complete old or the complete new one.

    A link in that place is replaced, and not followed.

    Args:
        path: the file; its folder is there.
        text: written as UTF-8, or bytes.
        mode: permissions of the new file, from its first byte on.
        sync: wait until the disk has the new text and its name: a power cut does not undo it then.

    Raises:
        OSError: the disk refuses; the old file is as it was.
    """
    data = text.encode() if isinstance(text, str) else text
    with _temporary(path, data, mode, sync=sync) as temporary:
        temporary.replace(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of what is in a folder: to have the files is not enough.

    Raises:
        OSError: the disk refuses.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, so that a power cut does not undo it.

    Raises:
        OSError: the disk refuses.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        invoker.give_folder(path)
        sync_folder(path.parent)


def name_whole(folder: Path, name: Path) -> Path:
    """Rename a folder that was made beside its place, so that no reader finds an incomplete one under its
    name.

    That holds after a power cut, too: all of it is on the disk before it gets the name.

    Raises:
        MachineError: the disk refuses.
    """
    done = subprocess.run(["sync", "--file-system", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"{folder} cannot be written to disk: {done.stderr.strip()}; make room there")
    folder.rename(name)
    sync_folder(name.parent)
    return name


def put(path: Path, data: str | bytes) -> None:
    """Write what the user asked for: into a pipe or a device, or else as `replace` does.

    Raises:
        OSError: the disk refuses.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    else:
        replace(path, data)


def within(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder; of one here, named after both, if the folder is read-only."""
    if os.access(folder, os.W_OK) or not folder.is_dir():
        return folder / name
    return Path(f"{folder.resolve().name}-{name}")


@contextmanager
def _temporary(path: Path, data: bytes, mode: int, *, sync: bool = False) -> Iterator[Path]:
    """A file with the data and these permissions, beside `path`; removed at the end if still there."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            invoker.give_file(file.fileno(), path.parent)
            if sync:
                os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _place(temporary: Path, path: Path, force: bool) -> None:
    if force:
        temporary.replace(path)
    else:
        path.hardlink_to(temporary)  # unlike a rename, this never overwrites


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
