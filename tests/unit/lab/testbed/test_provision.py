"""What a machine lacks, and room for it."""

from __future__ import annotations

import json

import pytest

from lab.errors import HostError
from lab.testbed import provision, survey
from lab.testbed.survey import Survey

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

SAID = {
    "system": "Debian GNU/Linux 12 (bookworm)\nbookworm\n",
    "machine": "6.1.0 x86_64\n2\nmodel name\t: A CPU\nMemTotal:  2048000 kB\n",
    "docker": "20.10.24+dfsg1\n",
    "packages": "docker.io 20.10.24 installed\ntinc 1.0.36 config-files\nlibc6:amd64 2.36 installed\n",
    "disk": "Filesystem 1024-blocks Used Available\n/dev/vda 9 9 4096 1% /\n/dev/vdb 9 9 2048000 1% /tmp\n",
    "sysctls": "net.ipv4.ip_forward = 0\nnet.ipv4.tcp_rmem = 4096\t131072\t6291456\n",
    "interfaces": json.dumps(ADDRESSES),
}


def test_what_a_machine_lacks_is_named() -> None:
    lacking = provision.missing_parts(Survey(SAID))
    assert lacking[0].startswith("packages ca-certificates, ")
    assert survey.DAEMON_SCRIPT in lacking
    with pytest.raises(HostError, match="AMS: its disk is full: 4 MiB are free"):
        provision.require_room("AMS", Survey(SAID))
