"""The person who ran this process with sudo: what it writes for him belongs to him, and not to root.

Root gives away only what it has just made, in a folder that is that person's already. Everything goes by
descriptors and follows no link: he can change names in his folder at any time.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def ids() -> tuple[int, int] | None:
    """Return the user's and the group's id of who called sudo; None without sudo."""
    if os.geteuid() != 0:
        return None
    try:
        user, group = int(os.environ.get("SUDO_UID", "0")), int(os.environ.get("SUDO_GID", "0"))
    except ValueError:
        return None
    return (user, group) if user > 0 and group >= 0 else None


def give_file(descriptor: int, folder: Path) -> None:
    """Give a new file, which is open, to the owner of its folder if that is the invoker."""
    if (whose := ids()) and folder.stat().st_uid == whose[0]:
        os.fchown(descriptor, *whose)


def give_folder(folder: Path) -> None:
    """Give a new folder to the owner of the folder around it if that is the invoker."""
    if (whose := ids()) and folder.absolute().parent.stat().st_uid == whose[0]:
        _give_tree(folder, whose)


def give_back(folder: Path) -> None:
    """Give all of root's in a folder to the invoker if the folder is his.

    A file with a second name is left alone: it may be one of root's elsewhere.
    """
    if (whose := ids()) and folder.stat().st_uid == whose[0]:
        _give_tree(folder, whose)


def _give_tree(folder: Path, whose: tuple[int, int]) -> None:
    with suppress(OSError):  # somebody changes it meanwhile, or it is gone
        for _, _, files, handle in os.fwalk(folder, follow_symlinks=False):
            if os.fstat(handle).st_uid == 0:
                os.fchown(handle, *whose)
            for name in files:
                _give_entry(name, handle, whose)


def _give_entry(name: str, folder: int, whose: tuple[int, int]) -> None:
    with suppress(OSError):
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            found = os.fstat(file)
            if found.st_uid == 0 and found.st_nlink == 1 and stat.S_ISREG(found.st_mode):
                os.fchown(file, *whose)
        finally:
            os.close(file)
