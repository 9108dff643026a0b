"""Environment of a run, on which its figures depend: kernel, versions, settings of this machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("overlay-lab", "networkx", "numpy", "scipy", "matplotlib", "docker", "mininet", "pyroute2")
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
            "cpu": _cpu(proc / "cpuinfo"),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        },
        "sysctls": sysctls(proc),
        "versions": {"python": platform.python_version(), **packages(), **(versions or {})},
    }


def sysctls(proc: Path = Path("/proc")) -> dict[str, str]:
    """The settings of `SYSCTLS` that this kernel has, by name."""
    found = {}
    for name in SYSCTLS:
        try:
            found[name] = " ".join((proc / "sys" / name.replace(".", "/")).read_text().split())
        except OSError:
            continue
    return found


def packages() -> dict[str, str]:
    """Versions of those of `PACKAGES` that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def boot(proc: Path = Path("/proc")) -> str:
    """The id of the present boot: tells whether two sessions ran without a restart between them."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _cpu(path: Path) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
