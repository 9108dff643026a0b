"""A survey of a machine: asked in one script that changes nothing, before anything is done to it.

The same survey, taken before and after, says whether `restore` has left a machine as it was.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.errors import HostError
from lab.hosts.facts import MARK, facts_script, parse_facts, parse_version
from lab.hosts.host import CommandRunner, HostFacts
from lab.images import ENDPOINT
from lab.images.builders import SOURCES
from lab.runs.environment import SYSCTLS
from lab.testbed.reservation import BUSY, CLAIM, FOLDER

#: Folders that the lab makes on a machine that does not have them.
FOLDERS = (
    "/usr/local/lib/lab",
    "/etc/docker",
    "/var/log/lab",
    "/var/lib/lab",
    "/run/lab",
    "/run/lab/daemons",
)
PATHS = (*FOLDERS, "/etc/systemd/system/lab-data-plane.service")
#: Stands before a folder whose files could not be listed.
UNLISTED = "?"
#: The last line of a survey in a file: a checksum (SHA-256) of all before it.
END = "end"
DAEMON_SCRIPT = "/usr/local/lib/lab/docker-daemon"
FORWARD = "net.ipv4.ip_forward"
_DOCKER = "docker version --format '{{.Server.Version}}'"
QUESTIONS = {
    "system": '. /etc/os-release; echo "${PRETTY_NAME:-?}"; echo "${VERSION_CODENAME:-}"',
    "machine": "uname -rm; nproc; grep -m 1 '^model name' /proc/cpuinfo; grep MemTotal /proc/meminfo",
    "boot": "cat /proc/sys/kernel/random/boot_id",
    "docker": _DOCKER,
    "image": f"docker image inspect --format '{{{{.Id}}}}' {ENDPOINT.tag}",
    "script": f"sha256sum {DAEMON_SCRIPT}",
    "packages": "dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n'",
    "disk": "df -Pk / /var/lib /tmp",
    "claim": f"cat {CLAIM}",
    "busy": f"cat {BUSY}",
    "before": f"test -e {FOLDER}/before && echo yes",
    "sysctls": f"sysctl {FORWARD} {' '.join(SYSCTLS)}",
    "interfaces": "ip -j addr show",
    "rp_filter": "cd /proc/sys/net/ipv4/conf && grep -H . */rp_filter",
    "routes": "ip route show table all | grep -v '^broadcast\\|^local' | sort",
    "rules": "ip rule show",
    # a table that was used once is there for good, and says nothing as long as it is empty
    "iptables": (
        "iptables-save | grep -v '^[#*]\\|^COMMIT\\|^:[A-Z]* ACCEPT' | sed 's/\\[[0-9:]*\\]//' | sort"
    ),
    "containers": "docker ps -a --format '{{.Names}} {{.Image}}' | sort",
    "images": "docker images --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort",
    "networks": "docker network ls --format '{{.Name}} {{.Driver}}' | sort",
    "volumes": "docker volume ls -q | sort",
    # both are said: a question that failed is no sign that nothing is there
    "paths": f"for p in {' '.join(PATHS)}; do [ -e $p ] && echo present $p || echo absent $p; done",
    "files": (
        "for p in /usr/local/lib/lab /etc/docker /var/log/lab /run/weave /run/flannel; "
        f"do [ ! -d $p ] || find $p -type f || echo '{UNLISTED}' $p; done | sort"
    ),
}
#: What has to be after `restore` as it was before `prepare`.
KEPT = (
    *("sysctls", "interfaces", "routes", "rules", "iptables", "containers", "images", "networks", "volumes"),
    *("paths", "files"),
)
#: What Docker itself has made once it was installed, and takes along when it is removed.
OF_DOCKER = ("iptables", "networks", "routes", "interfaces", "sysctls", "images", "paths")


@dataclass(frozen=True)
class Interface:
    """A network interface: `carrier` says whether anything is connected; `addresses` are with length."""

    name: str
    mac: str
    mtu: int
    up: bool
    carrier: bool
    kind: str
    addresses: tuple[str, ...]
    master: str = ""

    @property
    def physical(self) -> bool:
        """True for a possible port of a testbed: Ethernet, and not made by Docker or an overlay."""
        made = ("docker", "br-", "veth", "vethwe", "weave", "flannel", "vxlan", "tap", "lab")
        return self.kind == "ether" and not self.master and not self.name.startswith(made)


@dataclass(frozen=True)
class Survey:
    """The answers of one machine, by question."""

    answers: Mapping[str, str]

    def stored(self) -> bytes:
        """Return the survey as a file that `parse_stored` reads again."""
        text = "".join(f"{MARK} {question}\n{answer}" for question, answer in self.answers.items())
        return f"{text}{MARK} {END} {hashlib.sha256(text.encode()).hexdigest()}\n".encode()

    def lines(self, question: str) -> list[str]:
        return self.answers.get(question, "").strip().splitlines()

    def first(self, question: str) -> str:
        return (self.lines(question) or [""])[0]

    @property
    def docker(self) -> tuple[int, ...]:
        return parse_version(self.first("docker") if self.first("docker")[:1].isdigit() else "")

    @property
    def codename(self) -> str:
        return ([*self.lines("system"), "", ""])[1]

    @property
    def packages(self) -> dict[str, str]:
        """Versions of the packages that are installed, by name."""
        words = (line.split() for line in self.lines("packages"))
        return {w[0].split(":")[0]: w[1] for w in words if len(w) == 3 and w[2] == "installed"}

    @property
    def sysctls(self) -> dict[str, str]:
        pairs = (line.partition("=") for line in self.lines("sysctls") if "=" in line)
        return {key.strip(): " ".join(value.split()) for key, _, value in pairs}

    @property
    def present(self) -> set[str]:
        """The paths of `PATHS` that were seen."""
        return self._paths("present")

    @property
    def absent(self) -> set[str]:
        """The paths of `PATHS` that were looked for and are not there."""
        return self._paths("absent")

    def _paths(self, state: str) -> set[str]:
        return {
            line.removeprefix(f"{state} ") for line in self.lines("paths") if line.startswith(f"{state} ")
        }

    @property
    def filters(self) -> dict[str, str]:
        """The check of source addresses (rp_filter) by interface: 0 none, 1 strict, 2 loose."""
        rows = (line.partition("/rp_filter:") for line in self.lines("rp_filter"))
        return {name: value for name, _, value in rows if value in ("0", "1", "2")}

    @property
    def interfaces(self) -> dict[str, Interface]:
        try:
            found = json.loads(self.answers.get("interfaces", "").strip() or "[]")
        except ValueError:
            return {}
        return {one["ifname"]: _interface(one) for one in found if one.get("ifname")}

    @property
    def free_mib(self) -> int:
        """Room on the fullest of the disks that the lab writes to (MiB)."""
        rows = [line.split() for line in self.lines("disk")[1:]]
        return min((int(row[3]) // 1024 for row in rows if len(row) > 3 and row[3].isdigit()), default=0)

    def missing_packages(self) -> list[str]:
        return [name for name in wanted_packages(self.codename) if name not in self.packages]

    def as_facts(self) -> dict[str, Any]:
        """Return what a run's manifest keeps of a machine."""
        machine = self.lines("machine")
        rest = " ".join(machine[2:])
        return {
            "system": self.first("system"),
            "kernel": machine[0].split()[0] if machine else "",
            "cpus": machine[1] if len(machine) > 1 else "",
            "cpu": next((x.split(":", 1)[1].strip() for x in machine if x.startswith("model name")), ""),
            "memory_mib": next((int(x.split()[1]) // 1024 for x in machine if "MemTotal" in x), rest),
            "docker": self.first("docker"),
            "sysctls": self.sysctls,
        }


def _interface(one: Mapping[str, Any]) -> Interface:
    flags = one.get("flags", [])
    return Interface(
        name=one["ifname"],
        mac=one.get("address", ""),
        mtu=one.get("mtu", 0),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        kind=one.get("link_type", ""),
        addresses=tuple(
            f"{a['local']}/{a['prefixlen']}" for a in one.get("addr_info", []) if a.get("family") == "inet"
        ),
        master=one.get("master", ""),
    )


def parse_stored(data: bytes) -> Survey | None:
    """Read a survey from a file; None for one that is not whole: no end, or another checksum."""
    text, mark, rest = data.decode(errors="replace").rpartition(f"{MARK} {END} ")
    if not mark or rest != f"{hashlib.sha256(text.encode()).hexdigest()}\n":
        return None
    return parse(text)


def parse(text: str) -> Survey:
    """Read what a machine answered."""
    parts = (part.partition("\n") for part in text.split(MARK)[1:])
    return Survey({name.strip(): said for name, _, said in parts})


async def survey(host: CommandRunner) -> Survey:
    """Ask a machine all `QUESTIONS`; it is left as it is.

    Raises:
        HostError: it cannot be reached, or sudo does not let the lab in.
    """
    lines = (f"echo '{MARK} {name}'; {{ {asked}; }} 2>/dev/null" for name, asked in QUESTIONS.items())
    script = "\n".join([*lines, f"echo '{MARK} {END}'\n"])
    done = await host.run(["sh"], stdin=script.encode(), check=False, timeout=90)
    found = parse(done.stdout)
    if END not in found.answers:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise HostError(
            f"{host.name}: it answers no questions: {last}; the lab needs a Debian or Ubuntu there"
        )
    return Survey({name: answer for name, answer in found.answers.items() if name != END})


async def host_facts(host: CommandRunner) -> HostFacts:
    """Ask what overlays have to know of a machine; kinds of link are tried in a throw-away namespace.

    Raises:
        HostError: it makes none.
    """
    said = await host.run(["unshare", "--net", "sh"], stdin=facts_script().encode(), check=False)
    if MARK not in said.stdout:
        words = said.stderr.strip() or "it said nothing"
        raise HostError(f"{host.name}: it makes no network namespace to try links in: {words}")
    return parse_facts(said.stdout)


@cache
def wanted_packages(codename: str) -> tuple[str, ...]:
    """Return the packages of the role `host` on a release, by the script that installs them."""
    argv = ["sh", str(SOURCES / "provision.sh"), "--packages", "host", codename or "unknown"]
    return tuple(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


def differences(before: Survey, after: Survey) -> list[str]:
    """Return a line for each thing that is not as it was; packages are no part of it."""
    new_docker = after.docker and not before.docker
    said = []
    for question in KEPT:
        if new_docker and question in OF_DOCKER:
            continue
        was, now = _comparable(before, question), _comparable(after, question)
        if new_docker and question == "files":
            now = [line for line in now if not line.startswith("/etc/docker/")]
        said += [f"{question}: still there: {line}" for line in now if line not in was]
        said += [f"{question}: gone: {line}" for line in was if line not in now]
    return said


def _comparable(one: Survey, question: str) -> Sequence[str]:
    if question == "paths":
        return sorted(one.present)
    if question != "interfaces":
        return one.lines(question)
    filters = one.filters
    return [
        f"{i.name} {'up' if i.up else 'down'} mtu {i.mtu} rp_filter {filters.get(i.name, '?')} "
        f"{' '.join(i.addresses)}".rstrip()
        for i in one.interfaces.values()
        if i.name != "docker0" and not i.name.startswith("veth")
    ]
