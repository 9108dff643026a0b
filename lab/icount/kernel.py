"""Kernels that boot in a virtual machine: Debian's packages, fetched and unpacked, never installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import CommandError, MachineError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.icount.initramfs import closure, dependencies
from lab.util.files import name_whole, sha256
from lab.util.paths import cache_folder

#: s for a download of 70 MB on a slow line.
PATIENCE = 1800.0
#: Written last into a folder of unpacked packages: their names with versions, and their SHA-256.
MARK = "packages.json"
BUSYBOX = "busybox-static"


@dataclass(frozen=True)
class Pin:
    """A package of which only one version will do; `sha256` is that of the file."""

    package: str
    version: str
    sha256: str


#: The kernel that figures of this project belong to: another one counts other instructions.
PINNED = Pin(
    "linux-image-6.1.0-57-amd64",
    "6.1.192-3",
    "14d219d01e1283261817d961dbb3895cb5b4288d0de10e0ba0632a0d993e15bf",
)


@dataclass(frozen=True)
class DebianKernel:
    """A kernel's package and busybox, unpacked in `place`; `packages` has the SHA-256 of each file."""

    place: Path
    release: str
    packages: Mapping[str, str]

    @property
    def image(self) -> Path:
        """The file that boots."""
        return self.place / f"boot/vmlinuz-{self.release}"

    @property
    def busybox(self) -> Path:
        """A busybox that needs no library."""
        return self.place / "bin/busybox"

    @property
    def name(self) -> str:
        """The kernel's package with its version."""
        return next(name for name in self.packages if name.startswith("linux-image"))

    def modules(self, names: Sequence[str]) -> list[Path]:
        """Return the files of modules, each after those that it depends on."""
        folder = self.place / "lib/modules" / self.release
        needs = dependencies((folder / "modules.dep").read_text())
        return [folder / path for path in closure(needs, names)]


def kept(kernel: Path | None = None) -> Path:
    """Return the folder in which the pinned kernel is kept once it is fetched, or that of another file."""
    digest = sha256(kernel) if kernel else PINNED.sha256
    return cache_folder() / f"kernel-{digest[:16]}"


async def ensure(kernel: Path | None = None, run: RunCommand = command.run) -> DebianKernel:
    """Return the pinned kernel, or that of a package's file, unpacked; fetches what is not there.

    Raises:
        MachineError: a package cannot be fetched, or is not the file that is pinned.
    """
    try:
        place = kept(kernel)
    except OSError as error:
        raise MachineError(f"the kernel package {kernel} cannot be read: {error.strerror}") from error
    if not (place / MARK).exists():
        wanted = [BUSYBOX] if kernel else [f"{PINNED.package}={PINNED.version}", BUSYBOX]
        await fetch(place, wanted, [kernel.resolve()] if kernel else [], run, () if kernel else (PINNED,))
    return unpacked(place)


async def fetch(
    place: Path,
    wanted: Sequence[str],
    files: Sequence[Path] = (),
    run: RunCommand = command.run,
    pins: Sequence[Pin] = (),
) -> None:
    """Fetch packages with apt and unpack them, and `files` that are here already, into a new folder.

    `place` appears whole or not at all, and whatever was there before goes.

    Raises:
        MachineError: a package cannot be fetched or unpacked, or is not as its pin says.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{place.name}.") as name:
        folder, new = Path(name), Path(name, "new")
        new.mkdir()
        await _download(wanted, folder, run)
        packages = [*files, *sorted(folder.glob("*.deb"))]
        digests = {file.stem.removesuffix("_amd64").replace("%3a", ":"): sha256(file) for file in packages}
        check(digests, pins)
        try:
            for file in packages:
                await run(["dpkg", "-x", str(file), str(new)], timeout=PATIENCE)
            release = _release(new)
            await run([str(new / "bin/busybox"), "depmod", "-b", str(new), release], timeout=PATIENCE)
        except CommandError as error:
            raise MachineError(f"a kernel's package cannot be unpacked: {error}") from error
        (new / MARK).write_text(json.dumps(digests, indent=1))
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        name_whole(new, place)


async def _download(wanted: Sequence[str], folder: Path, run: RunCommand) -> None:
    # apt changes into the folder by itself and, as root, would do so as a user who may not write there
    argv = ["sh", "-c", 'cd "$1" && shift && exec apt-get download -q -o APT::Sandbox::User=root "$@"', "sh"]
    try:
        await run([*argv, str(folder), *wanted], timeout=PATIENCE)
    except CommandError as error:
        why = (error.stderr.strip().splitlines() or ["it printed nothing"])[0].removeprefix("E: ")
        raise MachineError(
            f"apt cannot fetch {' and '.join(wanted)}: {why}; run 'apt-get update' and try again, "
            "or name a kernel package that is here"
        ) from error


def _release(place: Path) -> str:
    found = sorted((place / "boot").glob("vmlinuz-*"))
    if not found:
        raise MachineError("the kernel package has no kernel in it (boot/vmlinuz-…); name one of Debian's")
    return found[0].name.removeprefix("vmlinuz-")


def check(digests: Mapping[str, str], pins: Sequence[Pin]) -> None:
    """Hold fetched files against their pins.

    Raises:
        MachineError: one is another file than the one that is pinned.
    """
    for pin in pins:
        name = f"{pin.package}_{pin.version}"
        if digests.get(name) != pin.sha256:
            raise MachineError(
                f"the package {name} is not the file that the figures belong to (SHA-256 "
                f"{digests.get(name, 'missing')}, not {pin.sha256}); fetch it from Debian's own archive"
            )


def unpacked(place: Path) -> DebianKernel:
    """Return the kernel that `fetch` has put into a folder."""
    return DebianKernel(place, _release(place), json.loads((place / MARK).read_text()))
