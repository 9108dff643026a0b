"""What is on the machine: taken before and after a lab, the two must be equal."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

#: Kernel settings that a lab could be tempted to change.
SYSCTLS = [
    "net.ipv4.ip_forward",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.core.netdev_max_backlog",
    "fs.file-max",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_congestion_control",
    "kernel.pty.max",
    "net.ipv4.neigh.default.gc_thresh1",
    "net.ipv4.neigh.default.gc_thresh3",
    "kernel.sched_rt_runtime_us",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.conf.all.forwarding",
    "net.ipv6.conf.all.forwarding",
]
#: Docker's own, from the first container that it builds an image in until the daemon ends.
DOCKERS_OWN = "/run/docker/netns/default"


def inventory() -> dict[str, list[str]]:
    """Everything that a lab could leave behind, by kind, sorted."""
    with ThreadPoolExecutor() as pool:  # Docker's answers take longer than all the rest
        containers = pool.submit(_lines, "docker", "ps", "--all", "--format", "{{.Names}}")
        volumes = pool.submit(_lines, "docker", "volume", "ls", "--quiet")
        networks = pool.submit(_lines, "docker", "network", "ls", "--format", "{{.Name}}")
        return {
            **_without_docker(),
            "containers": containers.result(),
            "volumes": volumes.result(),
            "networks": networks.result(),
        }


def _without_docker() -> dict[str, list[str]]:
    return {
        "namespaces": _lines("ip", "netns", "list"),
        "links": sorted(line.split(":")[1].strip() for line in _lines("ip", "-o", "link")),
        "routes": _lines("ip", "route", "show", "table", "all"),
        "iptables": _rules("iptables-save") + _rules("iptables-legacy-save"),
        "mounts": sorted(path for path in _mounts() if path != DOCKERS_OWN),
        "processes": _processes(),
        "sysctls": [f"{name}={_sysctl(name)}" for name in SYSCTLS],
        "records": sorted(p.name for p in Path("/run/lab/labs").glob("*")),
    }


def _mounts() -> list[str]:
    return [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]


def _lines(*argv: str) -> list[str]:
    if not shutil.which(argv[0]):
        return []
    return sorted(subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines())


def _rules(program: str) -> list[str]:
    """Rules without their counters and the comments that carry the time."""
    return [line.split("[")[0] for line in _lines(program) if not line.startswith("#")]


def _processes() -> list[str]:
    """Programs that a lab starts; what else runs on the machine is none of its business."""
    mine = (
        "containerd-shim",
        "weaver",
        "tincd",
        "wireguard-go",
        "nebula",
        "yggdrasil",
        "etcd",
        "flanneld",
        "netserver",
        "iperf3",
        "nsenter",
        "ovs-vswitchd",
        "ovsdb-server",
    )
    return sorted(
        words[:120]
        for words in command_lines()
        if any(word in words.split(" -")[0] for word in mine) or "lab.emulation.wire.daemon" in words
    )


def command_lines() -> list[str]:
    """The command lines of all processes, words apart; those of the kernel have none."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            found.append(file.read_text().replace("\0", " "))
    return found


def _sysctl(name: str) -> str:
    path = Path("/proc/sys", name.replace(".", "/"))
    return path.read_text().strip() if path.exists() else "absent"
