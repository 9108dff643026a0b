"""The kernel of virtual time: found where it was built, or built from Debian's source with our additions.

It is kept in `STATE`, in a folder named by the hash of all that decides it: source, configuration,
additions and compiler. So it is built again only when one of them changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.events import Emit, silent, step
from lab.util.files import name_whole
from lab.util.locks import machine_lock
from lab.util.paths import STATE
from lab.virtual.kernel import builder, source
from lab.virtual.kernel.builder import PROGRAM, XSTATE_LIBRARY
from lab.virtual.kernel.edits import ADDITIONS
from lab.virtual.kernel.source import Source

KERNELS = STATE / "kernels"
#: Earlier versions have no room for the registers of processors with AMX; `xstate.c` hides these.
SAVES_ALL_REGISTERS = (6, 13)


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted.

    `version` is that of the source's package, `source` says which package of which suite, `identity`
    is the hash of all that it was built from, `size` is in bytes, and `environment` is what its process
    must have in its environment on this machine.
    """

    program: Path
    version: str
    source: str
    identity: str
    size: int
    environment: Mapping[str, str] = field(default_factory=dict)


def identity(chosen: Source, compiler: str, additions: Path = ADDITIONS) -> str:
    """Return the hash of all that decides a kernel: 16 hexadecimal digits."""
    digest = hashlib.sha256(f"{chosen.package}\0{chosen.version}\0{chosen.sha256}\0{compiler}".encode())
    for file in sorted(path for path in additions.rglob("*") if path.is_file()):
        if file.suffix in (".c", ".h", ".toml", ""):  # not what Python or an editor leaves there
            digest.update(f"\0{file.relative_to(additions)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def find(folder: Path = KERNELS) -> Kernel | None:
    """Return the kernel that is there, the first of those that could be built; None without any."""
    compiler = builder.compiler()
    for chosen in source.wanted():
        there = folder / identity(chosen, compiler)
        if os.access(there / PROGRAM, os.X_OK):
            return _kernel(there)
    return None


def ensure(emit: Emit = silent, folder: Path = KERNELS) -> Kernel:
    """Return the kernel, building it when it is not there: some minutes, said before.

    Raises:
        MachineError: it cannot be built here; the message says what to do.
    """
    if found := find(folder):
        return found
    builder.check(folder)
    with machine_lock("kernels", emit, "building the kernel of virtual time"):
        return find(folder) or _build(emit, folder)


def _build(emit: Emit, folder: Path) -> Kernel:
    scratch = folder / "partial"
    shutil.rmtree(scratch, ignore_errors=True)  # an interrupted build's
    scratch.mkdir(parents=True)
    try:
        with step(emit, "kernel of virtual time") as words:
            chosen, path = source.obtain_first(source.wanted(), scratch, emit)
            made = builder.build(chosen, path, scratch, emit)
            named = identity(chosen, builder.compiler())
            facts = {"version": chosen.version, "source": str(chosen), "identity": named}
            (made / "kernel.json").write_text(json.dumps({**facts, **builder.facts(made)}, indent=1))
            target = folder / named
            shutil.rmtree(target, ignore_errors=True)  # one without a program
            kernel = _kernel(name_whole(made, target))
            words += [str(chosen), f"{kernel.size / 2**20:.1f} MiB"]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return kernel


def remove(emit: Emit = silent, folder: Path = KERNELS) -> list[str]:
    """Remove all kernels, also those of former versions, and return what they were."""
    with machine_lock("kernels", emit, "building the kernel of virtual time"):
        gone = [json.loads(file.read_text())["source"] for file in sorted(folder.glob("*/kernel.json"))]
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def _kernel(folder: Path) -> Kernel:
    facts = json.loads((folder / "kernel.json").read_text())
    return Kernel(
        program=folder / PROGRAM,
        version=facts["version"],
        source=facts["source"],
        identity=facts["identity"],
        size=(folder / PROGRAM).stat().st_size,
        environment=environment(facts["release"], folder / XSTATE_LIBRARY),
    )


def environment(release: str, library: Path, processors: Path = Path("/proc/cpuinfo")) -> Mapping[str, str]:
    """Return what the kernel's process needs in its environment on these processors."""
    numbers = tuple(int(number) for number in release.split(".")[:2])
    if numbers >= SAVES_ALL_REGISTERS or "amx_tile" not in processors.read_text():
        return {}
    return {"LD_PRELOAD": str(library)}
