"""Programs that a guest runs: compiled for it, or taken from this machine with their libraries."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import CommandError, MachineError
from lab.hosts import command
from lab.hosts.command import RunCommand

QEMU = "qemu-system-x86_64"
#: Programs of this machine that a machine that counts needs, and Debian's package of each.
NEEDED = {
    QEMU: "qemu-system-x86",
    "gcc": "gcc and libc6-dev",
    "dpkg": "dpkg",
    "apt-get": "apt",
    "ip": "iproute2",
    "tc": "iproute2",
    "ethtool": "ethtool",
}
#: Where programs of the administrator are, whatever a user's PATH has.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing(needed: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence for every program that this machine lacks."""
    needed = NEEDED if needed is None else needed
    return [
        f"{program} is not installed; install Debian's package {package}"
        for program, package in needed.items()
        if find(program) is None
    ]


def find(program: str) -> Path | None:
    """Return where a program of this machine is, or None."""
    found = shutil.which(program) or shutil.which(program, path=PATH)
    return Path(found) if found else None


def require() -> None:
    """Check that everything is here that a machine that counts needs.

    Raises:
        MachineError: something is missing; a sentence for each.
    """
    if sentences := missing():
        raise MachineError("; ".join(sentences))


async def compiled(source: Path, flags: Sequence[str], run: RunCommand = command.run) -> bytes:
    """Compile one file of C, and return the program.

    Raises:
        MachineError: the compiler failed, e.g. as there is no static C library.
    """
    with tempfile.TemporaryDirectory() as name:
        target = Path(name, source.stem)
        # the path of a source file must not get into the program
        argv = ["gcc", "-O2", "-Wall", "-Werror", *flags, "-o", str(target), str(source)]
        try:
            await run(argv, timeout=300)
        except CommandError as error:
            raise MachineError(
                f"{source.name} cannot be compiled: {error}; install Debian's packages gcc and libc6-dev"
            ) from error
        return target.read_bytes()


async def with_libraries(programs: Sequence[str], run: RunCommand = command.run) -> dict[str, bytes]:
    """Read programs of this machine and the libraries that they load, by the path of each."""
    found: dict[str, bytes] = {}
    for name in programs:
        path = find(name)
        if path is None:
            raise MachineError(f"{name} is not installed; install Debian's package {NEEDED.get(name, name)}")
        found[f"/bin/{name}"] = path.read_bytes()
        listed = (await run(["ldd", str(path)])).stdout
        for library in (word for word in listed.split() if word.startswith("/")):
            found[library] = Path(library).read_bytes()
    return found


async def versions(programs: Mapping[str, Sequence[str]], run: RunCommand = command.run) -> dict[str, str]:
    """Ask programs for their versions: the first line that each prints."""
    found = {}
    for name, words in programs.items():
        result = await run([str(find(name) or name), *words], check=False)
        found[name] = (result.stdout or result.stderr).strip().split("\n")[0]
    return found
