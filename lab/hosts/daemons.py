"""What every kind of host does in the same way, once it can run a command: files, daemons, facts.

Kept in one place so that an overlay's commands are the same on emulated and real hosts.
"""

from __future__ import annotations

import base64
import io
import re
import shlex
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from lab.errors import HostError
from lab.hosts.host import HostFacts, Private, Result

PIDS = "/run/lab/daemons"
LOGS = "/var/log/lab"
#: Kinds of link that some overlay or shaper needs and some kernels lack.
LINK_KINDS = ("vxlan", "dummy", "ifb", "wireguard", "ipip", "bridge", "veth")
#: Programs that some overlay or experiment runs on a host.
BINARIES = (
    *("docker", "dockerd", "etcd", "etcdctl", "tincd", "wg", "ip", "iptables", "ethtool", "tcpdump"),
    *("weaver", "flanneld", "iperf3", "netperf", "stress-ng"),
)


class CommonHost(ABC):
    """A host that is all built upon `run`."""

    def __init__(self, name: str, site: str, addresses: Sequence[str]) -> None:
        self.name, self.site, self.addresses = name, site, tuple(addresses)
        self._facts: HostFacts | None = None

    @abstractmethod
    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result: ...

    async def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        await self.run(["tar", "-x", "-C", "/", "-f", "-"], stdin=_tar(data, path, mode), timeout=120)

    async def get(self, path: str) -> bytes:
        result = await self.run(Private(["base64", "-w0", path]), check=False)
        if result.status:
            raise HostError(f"{self.name}: {path} cannot be read: {result.stderr.strip()}")
        return base64.b64decode(result.stdout)

    async def start(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str = "/"
    ) -> None:
        await self.run(["mkdir", "-p", PIDS, LOGS])
        await self.run(start_argv(name, argv, cwd), env=env)

    async def stop(self, name: str) -> None:
        await self.run(stop_argv(name), timeout=30)

    async def alive(self, name: str) -> bool:
        argv = ["start-stop-daemon", "--status", "--pidfile", f"{PIDS}/{name}.pid"]
        return (await self.run(argv, check=False)).status == 0

    async def facts(self) -> HostFacts:
        if self._facts is None:
            self._facts = await self._ask_facts()
        return self._facts

    async def _ask_facts(self) -> HostFacts:
        return parse_facts((await self.run(["sh"], stdin=ask_facts().encode(), check=False)).stdout)


def ask_facts() -> str:
    """All questions to a host in one script: entering it once per question takes longer than the answers."""
    return "\n".join(f"echo '{MARK} {name}'; {question} 2>&1" for name, question in QUESTIONS.items())


def parse_facts(answers: str) -> HostFacts:
    """What the script of `ask_facts` printed, as facts."""
    parts = (part.partition("\n") for part in answers.split(MARK)[1:])
    said = {name.strip(): text for name, _, text in parts}
    kernel, arch = said["machine"].split()[:2]
    failed = {int(n) for n in re.findall(r"Command failed -:(\d+)", said["links"])}
    return HostFacts(
        kernel=kernel,
        arch=arch,
        docker=parse_version(said["docker"].strip() if said["docker"][:1].isdigit() else ""),
        link_kinds=frozenset(kind for n, kind in enumerate(LINK_KINDS) if 2 * n + 1 not in failed),
        binaries=frozenset(path.rsplit("/", 1)[-1] for path in said["programs"].split()),
        features=frozenset(name for name, sign in FEATURES.items() if sign in said[name]),
    )


def _probe_links() -> str:
    """Lines for ``ip -batch``: every kind is added on an odd line and deleted on the next."""
    # ipip: the kernel has a device for any two ends already and refuses a second; RFC 5737's are nobody's
    more = {"vxlan": " id 16000000 dstport 0", "ipip": " local 192.0.2.1 remote 192.0.2.2"}
    lines = [f"link add labprobe type {kind}{more.get(kind, '')}\nlink del labprobe\n" for kind in LINK_KINDS]
    return "".join(lines)


#: IPsec's ESP with AES-GCM, tried with a state that no packet matches: its addresses are RFC 5737's.
_ESP = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x4c4142"
_AES = f"mode transport aead 'rfc4106(gcm(aes))' 0x{'00' * 20} 64"
MARK = "=====lab"
QUESTIONS = {
    "machine": "uname -rm",
    "docker": "docker version --format '{{.Server.Version}}'",
    "programs": f"which {' '.join(BINARIES)}",
    "links": f"printf %s {shlex.quote(_probe_links())} | ip -force -batch -",
    "openvswitch": "genl ctrl get name ovs_datapath",
    "esp": f"ip xfrm state add {_ESP} {_AES} && ip xfrm state delete {_ESP} && echo yes",
    "tun": "test -c /dev/net/tun && echo yes",
    "bridge-nf": "test -e /proc/sys/net/bridge/bridge-nf-call-iptables && echo yes",
}
#: What a question's answer has in it where the kernel has the feature.
FEATURES = {"openvswitch": "ID:", "esp": "yes", "tun": "yes", "bridge-nf": "yes"}


def start_argv(name: str, argv: Sequence[str], cwd: str) -> list[str]:
    """The command that starts a daemon in a session of its own, once."""
    return [
        *("start-stop-daemon", "--start", "--oknodo", "--background", "--make-pidfile"),
        *("--pidfile", f"{PIDS}/{name}.pid", "--output", f"{LOGS}/{name}.log", "--chdir", cwd),
        *("--startas", "/usr/bin/env", "--", *argv),
    ]


def stop_argv(name: str) -> list[str]:
    """The command that ends a daemon: TERM, and KILL after three seconds."""
    return [
        *("start-stop-daemon", "--stop", "--oknodo", "--remove-pidfile", "--retry", "TERM/3/KILL/2"),
        *("--pidfile", f"{PIDS}/{name}.pid"),
    ]


def with_deadline(argv: Sequence[str], timeout: float) -> list[str]:
    """`argv` under coreutils' timeout: the far end kills it even when this end is gone."""
    return ["timeout", "-k", "2", f"{timeout:g}", *argv]


def without_deadline(argv: Sequence[str]) -> Sequence[str]:
    """What was asked for, without the deadline and all that stands before it on the way to a host."""
    at = next((n for n, word in enumerate(argv) if [word, *argv[n + 1 : n + 2]] == ["timeout", "-k"]), None)
    return argv if at is None else argv[at + 4 :]


def parse_version(text: str) -> tuple[int, ...]:
    """``20.10.24+dfsg1`` → (20, 10, 24); () where there is no version."""
    digits = text.strip().split("+")[0].split("-")[0].split(".")
    return tuple(int(d) for d in digits if d.isdigit())


def _tar(data: bytes, path: str, mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(data), mode
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
