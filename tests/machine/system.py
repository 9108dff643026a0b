"""A whole system for a virtual machine, as a user has it: systemd, udev, NetworkManager, nftables, Docker.

Made with mmdebstrap from this machine's apt sources. It is kept below build/machine: the installed packages,
which take minutes, and the disk with the user's own files, which takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.images import apt
from tests.paths import ROOT

BUILD = ROOT / "build" / "machine"
GUEST = Path(__file__).with_name("guest")
#: Names of systems, and the suite and version of Python of each.
SYSTEMS = {"debian13": ("trixie", "3.13"), "debian12": ("bookworm", "3.11")}
USER = "user"
PACKAGES = (
    *("linux-image-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "libpam-systemd", "apparmor"),
    *("network-manager", "nftables", "iptables", "iproute2", "iputils-ping", "procps", "kmod", "curl"),
    *("docker.io", "docker-compose", "sudo", "git", "make", "python3", "python3-venv", "busybox-static"),
    *("ca-certificates", "zstd", "login", "passwd", "debian-archive-keyring"),
)
#: In the suites after bookworm the command is a package of its own.
LATER = ("docker-cli",)
#: What the set-up finds missing, with all that it needs: for the archive that the machine is given.
LACKING = ("mmdebstrap", "python-is-python3")
#: Bytes of the disk; unwritten ones take no room.
DISK = 8 << 30


@dataclass(frozen=True)
class System:
    """A system that can be booted: its disk, its kernel and its first file system."""

    name: str
    disk: Path
    kernel: Path
    initrd: Path
    #: Packages that the set-up in the guest will ask for.
    archive: Path


def packages(suite: str) -> list[str]:
    """All that is installed, without Recommends."""
    return [*PACKAGES, *(() if suite == "bookworm" else LATER)]


def build(name: str) -> System:
    """Make what is missing or out of date, and return the system.

    Raises:
        CalledProcessError: a package is not served here, or the disk is full.
    """
    suite, _ = SYSTEMS[name]
    place = BUILD / name
    place.mkdir(parents=True, exist_ok=True)
    root = place / "root"
    wanted = json.dumps([packages(suite), LACKING])
    if _said(place / "packages") != wanted:
        _install(root, suite)
        _archive(root, place / "apt")
        (place / "packages").write_text(wanted)
    files = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(GUEST.rglob("*")) if path.is_file()))
    if _said(place / "files") != wanted + files.hexdigest():
        _customise(root)
        _make_disk(root, place / "disk.ext4")
        (place / "files").write_text(wanted + files.hexdigest())
    (kernel,), (initrd,) = ((root / "boot").glob(f"{kind}-*") for kind in ("vmlinuz", "initrd.img"))
    return System(name, place / "disk.ext4", kernel, initrd, place / "apt")


def _said(mark: Path) -> str:
    return mark.read_text() if mark.exists() else ""


def _install(root: Path, suite: str) -> None:
    shutil.rmtree(root, ignore_errors=True)
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")]
    options = ["--variant=minbase", *excluded, f"--include={','.join(packages(suite))}"]
    subprocess.run(["mmdebstrap", "--quiet", *options, suite, root, *apt.lines_of(suite)], check=True)


def _archive(root: Path, place: Path) -> None:
    """Fetch what the set-up will install in the guest, with an index as apt reads it."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for file in ("resolv.conf", "hosts"):
        shutil.copy(Path("/etc", file), root / "etc" / file)
    fetch = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "--download-only", *LACKING]
    for argv in (["apt-get", "update", "-q"], fetch):
        subprocess.run(["chroot", root, *argv], check=True, stdout=subprocess.DEVNULL)
    for file in (root / "var/cache/apt/archives").glob("*.deb"):
        shutil.move(file, place / file.name)
    scan = ["dpkg-scanpackages", "-m", "."]
    listed = subprocess.run(scan, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    (place / "Packages").write_bytes(listed.stdout)


def _customise(root: Path) -> None:
    """Add the user and the files of the folder `guest`, and take away the way to the archive outside."""
    for path in (path for path in sorted(GUEST.rglob("*")) if path.is_file()):
        target = root / path.relative_to(GUEST)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        target.chmod(0o600 if path.suffix == ".nmconnection" else 0o644)  # else NetworkManager ignores it
    for path in [root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")]:
        path.unlink(missing_ok=True)
    (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/mnt/given/apt ./\n")
    (root / "etc/hostname").write_text("machine\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost machine\n::1 localhost\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    sudoers = root / "etc/sudoers.d/user"
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    if f"\n{USER}:" not in (root / "etc/passwd").read_text():
        subprocess.run(["chroot", root, "useradd", "-m", "-s", "/bin/bash", "-G", "sudo", USER], check=True)
    services = ["docker", "NetworkManager", "nftables", "apparmor", "machine-test"]
    subprocess.run(["chroot", root, "systemctl", "--quiet", "enable", *services], check=True)


def _make_disk(root: Path, disk: Path) -> None:
    disk.unlink(missing_ok=True)
    with disk.open("wb") as file:
        file.truncate(DISK)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", root, disk], check=True)
