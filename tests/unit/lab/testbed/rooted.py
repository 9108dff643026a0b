"""A host whose files lie in a folder of a test, and whose `ip`, `iptables` and `docker` are small scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.hosts import command
from lab.hosts.host import Result
from tests.unit.here import Here

#: The places that the lab knows on a machine; on this one they are in the folder.
PLACES = (
    *("/usr/local/lib/lab", "/etc/docker", "/var/log/lab", "/var/lib/lab", "/run/lab", "/run/weave"),
    *("/etc/systemd/system", "/proc/sys/net/ipv4", "/run/flannel", "/run/systemd"),
)
#: Keeps rules as lines of a file, as they were given.
IPTABLES = """\
#!/bin/sh
shift
what=$1 chain=$2
shift 2
case $what in
    -C) grep -qxF -- "-A $chain $*" "$ROOT/rules" ;;
    -I) echo "-A $chain $*" >> "$ROOT/rules" ;;
    -D) grep -qxF -- "-A $chain $*" "$ROOT/rules" || exit 1
        number=$(grep -nxF -- "-A $chain $*" "$ROOT/rules" | head -n 1 | cut -d: -f1)
        sed -i "${number}d" "$ROOT/rules" ;;
esac
"""
#: Has images, one tag a line, and no containers.
DOCKER = """\
#!/bin/sh
case "$1 $2" in
    'image inspect') grep -qxF "$(eval echo \\${$#})" "$ROOT/images" ;;
    'image rm') sed -i "\\|^$4\\$|d" "$ROOT/images" ;;
    'images '*) sed 's/$/ abc/' "$ROOT/images" ;;
    'version '*) echo 20.10.24 ;;
esac
"""
#: Keeps one address of eth1 at most, and says what `ip` says of it.
IP = """\
#!/bin/sh
case $* in
    '-j addr show') cat "$ROOT/interfaces.json" ;;
    '-o -4 addr show'*) [ ! -s "$ROOT/address" ] || echo "3: eth1 inet $(cat "$ROOT/address") scope global" ;;
    '-o link show'*) echo '3: eth1: <UP,LOWER_UP>' ;;
    'addr add'*) echo "$3" > "$ROOT/address" ;;
    'addr del'*) rm -f "$ROOT/address" ;;
esac
"""
SYSCTL = """\
#!/bin/sh
echo "net.ipv4.ip_forward = $(cat "$ROOT/proc/sys/net/ipv4/ip_forward")"
"""


class Rooted(Here):
    """A machine in a folder."""

    def __init__(self, root: Path) -> None:
        super().__init__("AMS")
        self.root = root
        programs = {"ip": IP, "iptables": IPTABLES, "docker": DOCKER, "sysctl": SYSCTL}
        programs |= {"iptables-save": '#!/bin/sh\ncat "$ROOT/rules"'}
        programs |= dict.fromkeys(("systemctl", "dpkg-query"), "#!/bin/sh\n")
        (root / "bin").mkdir()
        for name, text in programs.items():
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)
        for name in ("rules", "images"):
            (root / name).touch()
        self.set_interface()
        for interface in ("all", "eth1"):
            self.write(f"/proc/sys/net/ipv4/conf/{interface}/rp_filter", "1\n")
        self.write("/proc/sys/net/ipv4/ip_forward", "0\n")
        self.path("/etc/systemd/system").mkdir(parents=True)

    def set_interface(self, *addresses: str) -> None:
        """Say what `ip` is to say of eth1."""
        info = [
            {"family": "inet", "local": a, "prefixlen": int(length)}
            for a, length in (address.split("/") for address in addresses)
        ]
        eth1: dict[str, Any] = {"ifname": "eth1", "mtu": 1500, "flags": ["UP"], "addr_info": info}
        (self.root / "interfaces.json").write_text(json.dumps([eth1]))

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str = "") -> None:
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def read(self, path: str) -> str:
        return self.path(path).read_text().strip()

    def files(self) -> dict[str, str]:
        """Return the files in the places that the lab knows, with what is in them; and folders."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = "/" + str(path.relative_to(self.root))
            if name.startswith(PLACES):
                found[name] = path.read_text() if path.is_file() else ""
        return found

    def moved(self, text: str) -> str:
        for place in PLACES:
            text = text.replace(place, f"{self.root}{place}")
        return text

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        # a script is moved; what is stored names the places as they are on a machine
        fed = self.moved(stdin.decode()).encode() if stdin is not None and "write" not in argv else stdin
        moved = [self.moved(word) for word in argv]
        env = {"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "ROOT": str(self.root), **(env or {})}
        done = await command.run(
            moved,
            on=self.name,
            timeout=timeout,
            check=False,
            stdin=fed,
            env=env,
        )
        text = done.stdout.replace(str(self.root), "")
        return Result(done.argv, done.status, text, done.stderr, done.seconds)

    async def get(self, path: str) -> bytes:
        return (await super().get(path)).replace(str(self.root).encode(), b"")

    async def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        self.write(path, data.decode())
        self.path(path).chmod(mode)
