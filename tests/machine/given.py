"""What a machine without a network is given: the repository, a wheelhouse, an apt archive, the images."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.machine.system import SYSTEMS, System
from tests.paths import ROOT

#: Wheels of Linux on this kind of processor, for the guest's Python, which this machine need not have.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
LOCKS = ("requirements-build.lock", "requirements.lock")
SCRIPTS = [Path(__file__).with_name(name) for name in ("inside.py", "here.py")]


def gather(system: System, folder: Path, weaver: str = "") -> Path:
    """Put everything into the folder that the guest sees as /mnt/given, and return it.

    Raises:
        CalledProcessError: a wheel cannot be had, or this is no git repository.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / "lab.bundle"
    bundle.unlink(missing_ok=True)
    subprocess.run(["git", "bundle", "create", "--quiet", bundle, "HEAD"], cwd=ROOT, check=True)
    wheels(SYSTEMS[system.name][1], folder / "wheels")
    shutil.rmtree(folder / "apt", ignore_errors=True)
    shutil.copytree(system.archive, folder / "apt")
    for file in (*SCRIPTS, *((Path(weaver),) if weaver else ())):
        shutil.copy(file, folder)
    return folder


def wheels(version: str, folder: Path) -> None:
    """Fetch the locked packages for a version of Python, if these are not there."""
    folder.mkdir(exist_ok=True)
    mark, wanted = folder / "locks", "".join((ROOT / lock).read_text() for lock in LOCKS) + version
    if mark.exists() and mark.read_text() == wanted:
        return
    where = [word for platform in PLATFORMS for word in ("--platform", platform)]
    only = ["--only-binary=:all:", "--no-deps", "--require-hashes", "--python-version", version, *where]
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", *only, "--dest", folder]
    for lock in LOCKS:
        subprocess.run([*argv, "-r", lock], cwd=ROOT, check=True)
    mark.write_text(wanted)
