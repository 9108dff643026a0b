"""Environment of a run, on which its figures depend: kernel, versions, settings of this machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from lab.measure.cgroups import read_text

PACKAGES = ("overlay-lab", "networkx", "numpy", "scipy", "matplotlib", "docker", "mininet")
#: The file of a run folder with every package that was installed (`installed`).
PACKAGES_FILE = "packages.txt"
#: Kernel settings that throughput depends on; read in the machine's own network namespace,
#: from which a new one takes its defaults.
SYSCTLS = (
    *("net.ipv4.tcp_congestion_control", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_ecn"),
    *("net.core.rmem_max", "net.core.wmem_max", "net.core.rmem_default", "net.core.wmem_default"),
    *("net.core.netdev_max_backlog", "net.core.default_qdisc"),
)


def environment(versions: Mapping[str, str] | None = None, proc: Path = Path("/proc")) -> dict[str, Any]:
    """Describe this machine; `versions` of what the lab has made or asked (Docker, images) are added."""
    return {
        "kernel": platform.release(),
        "machine": {
            "arch": platform.machine(),
            "cpus": len(os.sched_getaffinity(0)),
            "cpu": next(iter(re.findall(r"^model name\s*: *(.*\S)", read_text(proc / "cpuinfo"), re.M)), ""),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        },
        "sysctls": sysctls(proc),
        "versions": {"python": platform.python_version(), **packages(), **(versions or {})},
    }


def sysctls(proc: Path = Path("/proc")) -> dict[str, str]:
    """The settings of `SYSCTLS` that this kernel has, by name."""
    values = {name: " ".join(read_text(proc / "sys" / name.replace(".", "/")).split()) for name in SYSCTLS}
    return {name: value for name, value in values.items() if value}


def packages() -> dict[str, str]:
    """Versions of those of `PACKAGES` that are installed."""
    installed = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed


def installed() -> str:
    """Return every Python package that is installed here, with its version, one in a line."""
    found = {(one.name or "").lower(): one.version for one in distributions()}
    return "".join(f"{name}=={number}\n" for name, number in sorted(found.items()) if name)


def boot(proc: Path = Path("/proc")) -> str:
    """The id of the present boot: tells whether two sessions ran without a restart between them."""
    return read_text(proc / "sys/kernel/random/boot_id").strip()
