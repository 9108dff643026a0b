"""A chain of three machines with two ports each, and a machine's answers to a survey."""

from __future__ import annotations

import json
from typing import Any

from lab import catalog
from lab.testbed.survey import Interface

CHAIN = catalog.topology("linear:sites=AMS+PRG+BRA")
PORTS = {"AMS": {"eth1": "eth1"}, "PRG": {"eth1": "eth1", "eth2": "eth2"}, "BRA": {"eth1": "eth1"}}


def interface(name: str, **more: Any) -> Interface:
    known: dict[str, Any] = {
        "mac": f"52:54:00:00:00:{sum(map(ord, name)) % 256:02x}",
        "mtu": 1500,
        "up": True,
        "carrier": True,
        "kind": "ether",
        "addresses": (),
    }
    return Interface(name, **{**known, **more})


def machine(*more: Interface) -> dict[str, Interface]:
    all_ = (interface("eth0", addresses=("192.0.2.1/24",)), interface("eth1"), interface("eth2"), *more)
    return {one.name: one for one in all_}


ADDRESSES = [
    {"ifname": "lo", "link_type": "loopback", "flags": ["UP", "LOWER_UP"], "mtu": 65536, "addr_info": []},
    {
        "ifname": "eth1",
        "link_type": "ether",
        "address": "52:54:00:00:00:01",
        "flags": ["UP"],
        "mtu": 1500,
        "addr_info": [{"family": "inet", "local": "192.168.1.1", "prefixlen": 24}],
    },
]

ANSWERS = {
    "system": "Debian GNU/Linux 12 (bookworm)\nbookworm\n",
    "machine": "6.1.0 x86_64\n2\nmodel name\t: A CPU\nMemTotal:  2048000 kB\n",
    "docker": "20.10.24+dfsg1\n",
    "packages": "docker.io 20.10.24 installed\ntinc 1.0.36 config-files\nlibc6:amd64 2.36 installed\n",
    "disk": "Filesystem 1024-blocks Used Available\n/dev/vda 9 9 4096 1% /\n/dev/vdb 9 9 2048000 1% /tmp\n",
    "sysctls": "net.ipv4.ip_forward = 0\nnet.ipv4.tcp_rmem = 4096\t131072\t6291456\n",
    "interfaces": json.dumps(ADDRESSES),
}
