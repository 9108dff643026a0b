"""Tests of this machine: every answer comes from trying, with the remedy beside it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab.emulation.docker import settings
from lab.emulation.docker.daemon import DaemonPaths
from lab.emulation.shaper_choice import SHAPERS
from lab.errors import MachineError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.util.paths import STATE
from lab.virtual import kernel
from lab.virtual.kernel import builder

State = Literal["ok", "missing", "optional", "unknown"]
#: What a lab of six hosts, its images and their building take (bytes).
DISK = 4 * 2**30
#: Controllers with which Docker bounds containers; `cpu` is what holds a host to its share.
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
NEEDS_ROOT = "needs root to tell"
#: Where `--fix-sudo` may put its link: distributions leave these alone, but for the last.
SUDO_FOLDERS = ("/usr/local/bin", "/usr/local/sbin", "/usr/bin")
#: Programs without which no lab is built, and the package of each.
NEEDED = {
    "docker": "docker.io",
    "ip": "iproute2",
    "tc": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
#: Kinds of link that some part of the lab makes: what for.
LINK_KINDS = {
    "veth": "every link",
    "bridge": "Docker's network on each host",
    "vxlan": "libnetwork and Flannel",
    "dummy": "Weave's router (without it, the lab changes a copy of the program to use ifb)",
    "wireguard": "Flannel's backend of that name",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `state` is ``ok``; ``missing``: no lab can be built without it; ``optional``: something
    else cannot be done; ``unknown``: it could not be tried. `found` is what was seen.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def _finding(name: str, works: bool, found: str, remedy: str, without: State = "missing") -> Finding:
    """Return what was found; `without` says what it means when it does not work."""
    return Finding(name, "ok", found) if works else Finding(name, without, found, remedy)


async def examine(run: RunCommand = command.run, *, root: bool | None = None) -> list[Finding]:
    """Try everything, side by side; `root` says whether to try what only root may (found out if None)."""
    is_root = os.geteuid() == 0 if root is None else root
    groups = await asyncio.gather(
        python(),
        programs(),
        docker(run, is_root),
        control_groups(Path("/proc/self/mounts").read_text()),
        shapers(run, is_root),
        link_kinds(run, is_root),
        open_vswitch(run),
        disk(run),
        virtual_time(),
    )
    remedy = "labs and images need it: sudo lab …"
    user = _finding("root", is_root, "yes" if is_root else "no", remedy, "optional")
    return [user, *(finding for group in groups for finding in group)]


async def python() -> list[Finding]:
    """Look for the lab's Python packages, and for another distribution's `lab` in the way."""
    owners = importlib.metadata.packages_distributions().get("lab", [])
    # a distribution that is itself named `lab`; ours is `overlay-lab`
    return [_packages(), _containernet(), _clash(owners, _installed("lab"))]


def _packages() -> Finding:
    try:
        needs = importlib.metadata.requires("overlay-lab") or []
    except importlib.metadata.PackageNotFoundError:
        return Finding("Python packages", "optional", "the lab runs from its folder only", "make setup")
    names = [re.split(r"[^\w.-]", need)[0] for need in needs if "extra ==" not in need]
    lacking = [name for name in names if not _installed(name)]
    found = f"no {', '.join(lacking)}" if lacking else f"{len(names)}, all there"
    return _finding("Python packages", not lacking, found, "make setup")


def _containernet() -> Finding:
    remedy = "pip install 'overlay-lab[containernet]', for scripts for Containernet, and for its prompt"
    there = _installed("mininet")
    return _finding("mininet", there, "there" if there else "not installed", remedy, "optional")


def _installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def _clash(owners: Sequence[str], other: bool) -> Finding:
    others = sorted({owner for owner in owners if owner != "overlay-lab"} | ({"lab"} if other else set()))
    found = f"{', '.join(others)} brings it too" if others else "no other distribution has this name"
    return _finding("name 'lab'", not others, found, f"pip uninstall {' '.join(others)}")


def sudo_finds_lab(path: str, program: Path) -> Finding:
    """Look for the lab on the path that sudo gives, which is this process's own below sudo."""
    found = shutil.which("lab", path=path)
    if found and Path(found).resolve() == program.resolve():
        return Finding("sudo lab", "ok", found)
    if found:
        return Finding("sudo lab", "optional", f"{found} is another program", f"sudo {program}")
    remedy = f"sudo {program} doctor --fix-sudo"
    return Finding("sudo lab", "optional", "sudo does not find the lab by its name", remedy)


def fix_sudo(path: str, program: Path) -> Path:
    """Link the lab's program into the first of sudo's folders for programs that the administrator keeps.

    Raises:
        MachineError: there is no such folder, or another program has the name.
    """
    before = sudo_finds_lab(path, program)
    if before.state == "ok":
        return Path(before.found)
    folders = [Path(name) for name in path.split(":") if name in SUDO_FOLDERS and Path(name).is_dir()]
    if not folders or before.remedy == f"sudo {program}":
        why = before.found if folders else f"sudo's path has none of {', '.join(SUDO_FOLDERS)}"
        raise MachineError(f"no link to {program} can be made: {why}; type sudo {program}")
    link = folders[0] / "lab"
    try:
        link.symlink_to(program)
    except OSError as error:
        raise MachineError(f"{link} cannot be made: {error.strerror}; type sudo {program}") from error
    return link


async def programs() -> list[Finding]:
    """Look for programs on PATH."""
    found = [_program(name, f"apt-get install {package}") for name, package in NEEDED.items()]
    remedy = "apt-get install mmdebstrap, to build images where no registry can be reached"
    found.append(_program("mmdebstrap", remedy, "optional"))
    remedy = "apt-get install openvswitch-switch, for scripts that use Open vSwitch's switches"
    found.append(_program("ovs-vswitchd", remedy, "optional"))
    return found


def _program(name: str, remedy: str, without: State = "missing") -> Finding:
    where = shutil.which(name, path=_path())
    return _finding(name, bool(where), where or "not found", remedy, without)


def _path() -> str:
    """Return PATH, and where Debian keeps root's programs, which `sudo` adds."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


async def docker(run: RunCommand, is_root: bool) -> list[Finding]:
    """Find out whether a daemon serves, or could be started, and with which storage."""
    if not shutil.which("docker"):
        return []
    done = await run(["docker", "info", "--format", "{{json .}}"], check=False)
    if (said := settings.parsed(done.stdout)) and (said.get("ServerVersion") or settings.of_podman(said)):
        return [_docker_answers(said)]
    if "permission denied" in done.stderr.lower() and not is_root:
        return [Finding("Docker", "unknown", NEEDS_ROOT)]
    return [_docker_off()]


def _docker_answers(info: Mapping[str, Any]) -> Finding:
    """Return what a daemon is that answers, and the first of its settings with which no lab can be built."""
    for sentence in (settings.elsewhere(DaemonPaths().socket), *settings.faults(info)):
        if sentence:
            found, _, remedy = sentence.partition("; ")
            return Finding("Docker", "missing", found, remedy)
    version, driver = info["ServerVersion"], info.get("Driver", "")
    tried, remedy = driver in ("overlay2", "overlayfs"), "overlay2 is what the lab was tried on"
    return _finding("Docker", tried, f"{version}, {driver}", remedy, "optional")


def _docker_off() -> Finding:
    if not shutil.which("dockerd", path=_path()):
        return Finding("Docker", "missing", "no daemon is installed", "apt-get install docker.io")
    if Path("/run/systemd/system").exists():
        return Finding("Docker", "missing", "installed, does not run", "systemctl start docker")
    return Finding("Docker", "ok", "does not run; the lab starts a daemon while it needs one")


async def control_groups(mounts: str) -> list[Finding]:
    """Find the version of control groups that is mounted, and the controllers that bound a host."""
    rows = [line.split() for line in mounts.splitlines()]
    own = {word for _, _, kind, words, *_ in rows if kind == "cgroup" for word in words.split(",")}
    if own & set(CONTROLLERS):
        return [_controllers("version 1", own)]
    for _, point, kind, *_ in rows:
        if kind == "cgroup2":
            file = Path(point, "cgroup.controllers")
            return [_controllers("version 2", set(file.read_text().split()) if file.exists() else set())]
    return [Finding("control groups", "missing", "not mounted", "apt-get install cgroupfs-mount")]


def _controllers(version: str, there: set[str]) -> Finding:
    lacking = [name for name in CONTROLLERS if name not in there]
    found = f"without {', '.join(lacking)}" if lacking else f"with {', '.join(CONTROLLERS)}"
    remedy = "boot with them enabled (cgroup_enable=…)"
    return _finding("control groups", not lacking, f"{version} {found}", remedy)


async def shapers(run: RunCommand, is_root: bool) -> list[Finding]:
    """Try each shaper in a namespace of its own; one of them is enough."""
    if not is_root:
        return [Finding(f"shaper {kind.name}", "unknown", NEEDS_ROOT) for kind in SHAPERS]
    reasons = dict(zip(SHAPERS, await asyncio.gather(*(kind.probe(run) for kind in SHAPERS)), strict=True))
    without: State = "optional" if None in reasons.values() else "missing"
    remedy = (
        "one is enough" if without == "optional" else "use a kernel with sch_netem, or see the Vagrantfile"
    )
    return [
        _finding(f"shaper {kind.name}", reason is None, reason or "works", remedy, without)
        for kind, reason in reasons.items()
    ]


async def link_kinds(run: RunCommand, is_root: bool) -> list[Finding]:
    """Make each kind of link in a namespace that goes with the command."""
    if not is_root:
        return [Finding(f"link kind {kind}", "unknown", NEEDS_ROOT) for kind in LINK_KINDS]
    return list(await asyncio.gather(*(_link_kind(run, kind) for kind in LINK_KINDS)))


async def _link_kind(run: RunCommand, kind: str) -> Finding:
    more = ["id", "1", "dstport", "0"] if kind == "vxlan" else []
    argv = ["unshare", "--net", "ip", "link", "add", "probe", "type", kind, *more]
    works = (await run(argv, check=False)).status == 0
    found = "can be made" if works else "this kernel has none"
    remedy = f"modprobe {kind}, or another kernel; for {LINK_KINDS[kind]}"
    return _finding(
        f"link kind {kind}", works, found, remedy, "missing" if kind in ("veth", "bridge") else "optional"
    )


async def open_vswitch(run: RunCommand) -> list[Finding]:
    """Ask for the kernel's datapath of Open vSwitch by its name."""
    if not shutil.which("genl", path=_path()):
        return [Finding("Open vSwitch", "unknown", "no program genl", "apt-get install iproute2")]
    done = await run(["genl", "ctrl", "get", "name", "ovs_datapath"], check=False)
    there = done.status == 0 and "ovs_datapath" in done.stdout
    found = "the kernel has its datapath" if there else "this kernel has no datapath"
    remedy = "modprobe openvswitch, or another kernel; for Weave's fast datapath"
    return [_finding("Open vSwitch", there, found, remedy, "optional")]


async def disk(run: RunCommand, folders: Sequence[Path] = (STATE,)) -> list[Finding]:
    """Measure the room for images and stores, on each disk that holds them."""
    done = await run(["docker", "info", "--format", "{{.DockerRootDir}}"], check=False)
    of_docker = Path(done.stdout.strip() or DaemonPaths().data)  # a user's setting
    return [_room(folder) for folder in (of_docker, *folders)]


def _room(folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    remedy = f"free {DISK / 2**30:.0f} GiB there"
    return _finding(f"disk of {folder}", free >= DISK, f"{free / 2**30:.1f} GiB free", remedy)


async def virtual_time() -> list[Finding]:
    """Look for the kernel of virtual time, and else for what its building needs."""
    return [await asyncio.to_thread(_kernel)]


def _kernel() -> Finding:
    name = "virtual time"
    try:
        if found := kernel.find():
            return Finding(name, "ok", f"its kernel is there, {found.source}")
        builder.check(kernel.KERNELS)
    except MachineError as error:
        found_out, _, remedy = str(error).rpartition(": ")
        return Finding(name, "optional", found_out, remedy)
    remedy = f"lab images build --virtual, once, about {builder.minutes():.0f} minutes"
    return Finding(name, "optional", "its kernel is not built, but can be", remedy)
