"""The capabilities of a host container: the smallest list with which its Docker daemon works.

Found by trial on Docker 20.10: a host with all of them did all of the following, and one
without any single one of them failed at something: loading an image, running containers on
a bridge with NAT and published ports, `docker exec` and `commit`, CPU and memory limits,
swarm overlay networks, vxlan and tun devices, `ethtool -K` inside an endpoint, restarting
the daemon. Not needed and so not given: SYS_PTRACE, DAC_READ_SEARCH, SYS_NICE, IPC_LOCK,
SYS_MODULE, SYS_RESOURCE and the rest.
"""

from __future__ import annotations

_OF_ENDPOINTS = "Docker gives it to every container by default, and a host cannot give what it has not"

#: Capability and why a host needs it.
HOST_CAPABILITIES = {
    "AUDIT_WRITE": _OF_ENDPOINTS,
    "CHOWN": "the daemon owns its sockets to a group and unpacks files of other owners",
    "DAC_OVERRIDE": "the entry script and the daemon write where modes forbid it",
    "FOWNER": "unpacking an image sets the modes of files of other owners",
    "FSETID": _OF_ENDPOINTS,
    "KILL": _OF_ENDPOINTS,
    "MKNOD": "unpacking an image makes device nodes",
    "NET_ADMIN": "bridges, veths, vxlan and tun devices, routes, iptables rules, offloads",
    "NET_BIND_SERVICE": _OF_ENDPOINTS,
    "NET_RAW": "ping, tcpdump, iptables; " + _OF_ENDPOINTS,
    "SETFCAP": _OF_ENDPOINTS,
    "SETGID": "runc sets the groups of every container's first process",
    "SETPCAP": _OF_ENDPOINTS,
    "SETUID": _OF_ENDPOINTS,
    "SYS_ADMIN": "mounts (control groups, overlay file systems), namespaces, entering them",
    "SYS_CHROOT": _OF_ENDPOINTS,
}

#: Those of a container of the user's own image: what Docker allows by default, and its own network.
CONTAINER_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP"),
    *("SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE", "NET_ADMIN"),
)
