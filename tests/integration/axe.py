"""The script of axe-core, the checker of accessibility by Deque, from npm; kept below `build`."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lab.util.files import replace
from tests.paths import ROOT

AXE = "axe-core@4.10.3"
HASH = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"
KEPT = ROOT / "build" / f"{AXE}.tgz"


def fetch() -> Path | None:
    """Return the package, from npm where it is not here yet; None where npm has no answer."""
    if not KEPT.exists():
        with tempfile.TemporaryDirectory() as folder:
            argv = ["npm", "pack", AXE, "--silent", f"--cache={folder}/cache"]
            try:
                done = subprocess.run(
                    argv, cwd=folder, capture_output=True, text=True, check=True, timeout=30
                )
            except (OSError, subprocess.SubprocessError):
                return None
            package = Path(folder, done.stdout.split()[-1]).read_bytes()
        assert hashlib.sha256(package).hexdigest() == HASH
        KEPT.parent.mkdir(exist_ok=True)
        replace(KEPT, package)
    return KEPT


def script(package: Path) -> str:
    """Return the script in a package."""
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()
