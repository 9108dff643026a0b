"""Flannel's program, found, or built from its Go module, which is pinned by hashes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from lab.errors import OverlayError
from lab.hosts import attached
from lab.util.files import name_whole
from lab.util.paths import cache_folder
from overlays.common import binaries

MODULE = Path(__file__).with_name("module")
PACKAGE = "github.com/flannel-io/flannel"
IMAGES = ("ghcr.io/flannel-io/flannel:v0.28.9",)
IN_IMAGE = "/opt/bin/flanneld"
ON_HOST = "/usr/local/lib/lab/flanneld"
#: The Go that the module's go.mod asks for.
GO = (1, 26)
REMEDY = (
    f"install Go {GO[0]}.{GO[1]} or later (the lab then builds flanneld from its module), put 'flanneld' on "
    f"PATH, name it in LAB_FLANNELD, or pull {IMAGES[0]}"
)


def has_go() -> bool:
    """Return True when this machine has a Go that can build the module."""
    go = shutil.which("go")
    if not go:
        return False
    printed = subprocess.run([go, "version"], capture_output=True, text=True, timeout=30, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", printed)
    return found is not None and (int(found[1]), int(found[2])) >= GO


def built() -> Path:
    """Return where the program is kept once it is built: named by the hash of all that it is built from."""
    inputs = b"".join(f.read_bytes() for f in sorted(MODULE.rglob("*")) if f.is_file())
    return cache_folder() / f"flanneld-{hashlib.sha256(inputs).hexdigest()[:16]}"


def build() -> Path:
    """Build the program if it is not there; takes about two minutes on two cores.

    Raises:
        OverlayError: the build failed; the message has the compiler's last line.
    """
    target = built()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        partial = target.with_suffix(".partial")
        argv = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", f"-o={partial}", PACKAGE]
        # the build holds the lock as well: no other one begins while a killed command's still ends
        done = attached.run(argv, cwd=MODULE, timeout=1800, held=[lock.fileno()])
        if done.returncode:
            printed = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise OverlayError(f"flannel: building flanneld in {MODULE} failed: {printed}; {REMEDY}")
        return name_whole(partial, target)


def here() -> bool:
    """Return True when the program is here, or can be built, without asking any registry."""
    return bool(binaries.given("LAB_FLANNELD", "flanneld")) or os.access(built(), os.X_OK) or has_go()


@cache
def program() -> bytes | None:
    """Return the program: ``LAB_FLANNELD``, PATH, built here, or a published image; None without any."""
    if found := binaries.given("LAB_FLANNELD", "flanneld"):
        return found.read_bytes()
    if os.access(built(), os.X_OK) or has_go():
        return build().read_bytes()
    return binaries.from_images(IMAGES, IN_IMAGE, pull=True)
