"""Facts of a host: the questions, and how the answers are read; and what this machine's own kernel can do."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace

from lab.hosts import command
from lab.hosts.host import HostFacts

#: Kinds of link that some overlay or shaper needs and some kernels lack.
LINK_KINDS = ("vxlan", "dummy", "ifb", "wireguard", "ipip", "bridge", "veth")
#: Programs that some overlay or experiment runs on a host.
BINARIES = (
    *("docker", "dockerd", "etcd", "etcdctl", "tincd", "wg", "ip", "iptables", "ethtool", "tcpdump"),
    *("weaver", "flanneld", "iperf3", "netperf", "stress-ng", "wireguard-go", "yggdrasil", "yggdrasilctl"),
    *("nebula", "nebula-cert"),
)


def facts_script() -> str:
    """Return all questions to a host in one script: entering it for each takes longer than the answers."""
    return "\n".join(f"echo '{MARK} {name}'; {question} 2>&1" for name, question in QUESTIONS.items())


def parse_facts(answers: str) -> HostFacts:
    """Read the facts from what the script of `facts_script` printed."""
    parts = (part.partition("\n") for part in answers.split(MARK)[1:])
    printed = {name.strip(): text for name, _, text in parts}
    kernel, arch = printed["machine"].split()[:2]
    failed = {int(n) for n in re.findall(r"Command failed -:(\d+)", printed["links"])}
    return HostFacts(
        kernel=kernel,
        arch=arch,
        docker=parse_version(printed["docker"].strip() if printed["docker"][:1].isdigit() else ""),
        link_kinds=frozenset(kind for n, kind in enumerate(LINK_KINDS) if 2 * n + 1 not in failed),
        binaries=frozenset(path.rsplit("/", 1)[-1] for path in printed["programs"].split()),
        features=frozenset(name for name, sign in FEATURES.items() if sign in printed[name].split()),
    )


# ipip: the kernel has a device for any two ends already and refuses a second; RFC 5737's are nobody's
_DETAILS = {"vxlan": " id 16000000 dstport 0", "ipip": " local 192.0.2.1 remote 192.0.2.2"}
#: Lines for ``ip -batch``: every kind is added on an odd line and deleted on the next.
_PROBES = "".join(
    f"link add labprobe type {kind}{_DETAILS.get(kind, '')}\nlink del labprobe\n" for kind in LINK_KINDS
)
#: IPsec's ESP with AES-GCM, tried with a state that no packet matches: its addresses are RFC 5737's.
_ESP = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x4c4142"
_AES = f"mode transport aead 'rfc4106(gcm(aes))' 0x{'00' * 20} 64"
MARK = "=====lab"
#: The Docker of the image of hosts, at least (Debian 12).
IN_IMAGE = (20, 10)
QUESTIONS = {
    "machine": "uname -rm",
    "docker": "docker version --format '{{.Server.Version}}'",
    "programs": f"which {' '.join(BINARIES)}",
    "links": f"printf %s {shlex.quote(_PROBES)} | ip -force -batch -",
    "openvswitch": "genl ctrl get name ovs_datapath",
    "esp": f"ip xfrm state add {_ESP} {_AES} && ip xfrm state delete {_ESP} && echo yes",
    "tun": "test -c /dev/net/tun && echo yes",
    "bridge-nf": "test -e /proc/sys/net/bridge/bridge-nf-call-iptables && echo yes",
    "ipv6": "test -e /proc/sys/net/ipv6 && echo yes",
}
#: The word that a question's answer has in it where the kernel has the feature.
FEATURES = {"openvswitch": "ID:", "esp": "yes", "tun": "yes", "bridge-nf": "yes", "ipv6": "yes"}


def parse_version(text: str) -> tuple[int, ...]:
    """``20.10.24+dfsg1`` → (20, 10, 24); () where there is no version."""
    digits = text.strip().split("+")[0].split("-")[0].split(".")
    return tuple(int(d) for d in digits if d.isdigit())


async def of_this_machine(run: command.RunCommand = command.run) -> HostFacts | None:
    """Return the facts of a host that would be made here: its kernel asked in a throw-away network namespace.

    Its image has all programs. None where the kernel cannot be asked: without root a user namespace
    serves as well, where the kernel lets users make one.
    """
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    printed = await run(["unshare", *as_root, "--net", "sh"], stdin=facts_script().encode(), check=False)
    if printed.status and not printed.stdout:
        return None
    return replace(parse_facts(printed.stdout), binaries=frozenset(BINARIES), docker=IN_IMAGE)
