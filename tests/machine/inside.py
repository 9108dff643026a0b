"""What a user does with the lab on a machine of his own; runs in the guest, as that user, by Python alone.

Each part prints how long it took, and what failed does not keep the next from being tried. The report is
/mnt/report/report.json. The machine's inventory is taken before the first part and after the last one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

GIVEN, REPORT, HOME = Path("/mnt/given"), Path("/mnt/report"), Path.home()
ORDER = json.loads((GIVEN / "order.json").read_text())
CLONE = HOME / "lab"
#: Commands whose output must be the same before and after.
INVENTORY = {
    "links": "ip -o link | cut -d' ' -f2,9-11 | sed 's/@.*//' | sort",
    "addresses": "ip -o address | awk '{print $2,$4}' | sort",
    "routes": "ip route; ip -6 route",
    "firewall": "sudo nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//'",
    "sysctls": "sudo sysctl -a 2>/dev/null | grep -E '^(net|kernel.core|vm.over|fs.inotify)' | grep -vE "
    "'nf_conntrack_count|tcp_fastopen_key|stable_secret|random|\\.neigh\\..*(lab|br-)|hostname'",
    "networks": "sudo docker network ls --format '{{.Name}} {{.Driver}}' | sort",
    "containers": "sudo docker ps -a --format '{{.Names}} {{.Image}} {{.State}}' | sort",
    "namespaces": "sudo ip netns | sort",
    "mounts": "findmnt -rno TARGET | grep -v '/run/user' | sort",
    "services": "systemctl list-units --type=service --state=running,failed --plain --no-legend "
    "| awk '{print $1,$3,$4}' | grep -vE 'user@|apt|man-db|systemd-hostnamed|dispatcher|tmpfiles' | sort",
    "connection": "nmcli -t -f NAME,DEVICE,STATE connection show --active | grep mine",
    "of labs": "find /run/lab /var/lib/lab/labs -type f 2>/dev/null | sort; "
    "pgrep -af 'lab[.]' | cut -d' ' -f2-",
}
OF_SYSTEMD = ("services", "connection")
COMPOSE = """\
services:
  web:
    image: bystander
    command: httpd -f -p 80 -h /
    ports: ["8081:80"]
    restart: always
"""
SCRIPT = """\
from lab.containernet import Containernet, TCLink, setLogLevel
net = Containernet(link=TCLink)
a, b = net.addDocker("d1", dimage="lab/gtsperf"), net.addDocker("d2", dimage="lab/gtsperf")
net.addLink(a, b, delay="5ms", bw=10)
net.start()
print(net.pingAll())
net.stop()
"""
results: list[dict[str, object]] = []


def say(*words: object) -> None:
    sys.stdout.write(" ".join((time.strftime("%H:%M:%S"), *map(str, words))) + "\n")
    sys.stdout.flush()


def sh(command: str, timeout: float = 1200, check: bool = True, cwd: Path | None = None) -> str:
    """Run a line of shell; its output is printed and returned.

    Raises:
        RuntimeError: its status is not 0.
    """
    say("$", command[:200])
    where = cwd or (CLONE if CLONE.exists() else HOME)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=where, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    sys.stdout.write("".join(f"    {line[:300]}\n" for line in done.stdout.splitlines()[-25:]))
    sys.stdout.flush()
    if check and done.returncode:
        raise RuntimeError(f"status {done.returncode}: {command[:120]}: {done.stdout[-400:]}")
    return done.stdout


def lab(words: str, **more: object) -> str:
    """Run the lab as root, with the patience that this machine needs."""
    return sh(f"sudo LAB_PATIENCE={ORDER['patience']} .venv/bin/lab {words}", **more)  # type: ignore[arg-type]


def restart_docker() -> None:
    service = "systemctl restart docker" if ORDER["systemd"] else "dockerd-service restart"
    sh(f"sudo {service}", timeout=900)


def inventory() -> dict[str, str]:
    found = {}
    for name, command in INVENTORY.items():
        if name in OF_SYSTEMD and not ORDER["systemd"]:
            continue
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
        found[name] = done.stdout
    return found


class Bystanders:
    """Containers of the user's with published ports, asked again and again while the lab is at work."""

    def __init__(self) -> None:
        self.asked, self.failed, self._over = 0, list[str](), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        folder = HOME / "bystander"
        folder.mkdir(exist_ok=True)
        shutil.copy("/bin/busybox", folder)
        (folder / "compose.yaml").write_text(COMPOSE)
        sh("tar -c busybox | sudo docker import -c 'ENTRYPOINT [\"/busybox\"]' - bystander", cwd=folder)
        run = "sudo docker run -d --restart always --name bystander -p 8080:80 bystander httpd -f -p 80 -h /"
        sh(run, cwd=folder)
        sh("sudo docker compose -p project up -d || sudo docker-compose -p project up -d", cwd=folder)
        self.wait()
        self._thread.start()

    def wait(self) -> None:
        deadline = time.monotonic() + 300
        while (words := self.ask()) and time.monotonic() < deadline:
            time.sleep(1)
        if words:
            raise RuntimeError(words)

    @staticmethod
    def ask() -> str:
        for port in (8080, 8081):
            try:
                urllib.request.urlopen(f"http://10.99.0.1:{port}/busybox", timeout=60).read(64)
            except OSError as error:
                if getattr(error, "code", 0) != 404:  # an answer is an answer
                    return f"port {port}: {error}"
        return ""

    def _watch(self) -> None:
        while not self._over.wait(5):
            self.asked += 1
            if words := self.ask():
                self.failed.append(f"{time.strftime('%H:%M:%S')} {words}")

    def stop(self) -> str:
        self._over.set()
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} of {self.asked} failed: {self.failed[:3]}")
        return f"{self.asked} times asked, and each answered"


def setup() -> str:
    sh(f"git clone -q -c advice.detachedHead=false {GIVEN}/lab.bundle {CLONE}", cwd=HOME)
    sh("printf '[global]\\nno-index = true\\nfind-links = /mnt/given/wheels\\n' | sudo tee /etc/pip.conf")
    return sh("sudo make setup", timeout=3600).splitlines()[-1]


def doctor() -> str:
    return lab("doctor")[-600:]


def multihop() -> str:
    weave = "weave" if (GIVEN / "weaver").exists() else ""
    variables = f"LAB_PATIENCE={ORDER['patience']}" + (f" LAB_WEAVER={GIVEN}/weaver" if weave else "")
    sh(f"sudo {variables} make multihop ARGS='{ORDER['multihop']}'", timeout=3600)
    folder = max((CLONE / "results").iterdir())
    if theirs := [str(p) for p in folder.rglob("*") if p.stat().st_uid != os.getuid()]:
        raise RuntimeError(f"not the user's: {theirs[:5]}")
    sh(f".venv/bin/lab report {folder}")
    sh(f".venv/bin/lab results {folder} >/dev/null; .venv/bin/lab report --claims {folder}", check=False)
    shutil.copytree(folder, REPORT / folder.name)
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    shaper = json.loads((folder / "manifest.json").read_text()).get("shaper")
    verdicts = sorted({one["verdict"]["state"] for one in samples})
    return f"{len(samples)} samples, {', '.join(verdicts)}; shaper {shaper}"


def by_hand() -> str:
    lab("up point_to_point --name one")
    lab("ps")
    lab("exec --lab one AMS -- docker info --format '{{.ServerVersion}} {{.Driver}}'")
    lab("ping-all --lab one")
    lab("link AMS-BRA --rtt 300ms --lab one")
    lab(f"capture AMS-BRA --lab one -w {HOME}/packets.pcap --seconds 5", timeout=600)
    said = lab("link --lab one")
    lab("down one")
    if (HOME / "packets.pcap").stat().st_uid != os.getuid():
        raise RuntimeError("the packets belong to root")
    return said[-300:]


def killed() -> str:
    command = f"sudo LAB_PATIENCE={ORDER['patience']} .venv/bin/lab up point_to_point --name two"
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=CLONE)
    time.sleep(10)
    sh("sudo pkill -KILL -f 'lab up point_to_point --name two'", check=False)
    process.wait()
    return lab("cleanup")[-200:]


def containernet() -> str:
    (HOME / "script.py").write_text(SCRIPT)
    return sh(f"sudo LAB_PATIENCE={ORDER['patience']} .venv/bin/python {HOME}/script.py")[-200:]


def rehearse() -> str:
    words = "--topology point_to_point --overlay underlay --repetitions 1 --bringups 1 --cells latency"
    return lab(f"testbed rehearse multihop {words}", timeout=2400)[-300:]


def restarted() -> str:
    """Docker stopped while a lab is up: the lab says so, and goes without a rest."""
    lab("up point_to_point --name three")
    restart_docker()
    said = lab("ps", check=False)
    lab("down three")
    return said[-300:]


def reloaded() -> str:
    """NetworkManager restarted and the firewall read again while a lab is up."""
    lab("up point_to_point --name four --daemons none")
    sh("sudo systemctl restart NetworkManager")
    said = lab("ping-all --lab four", check=False)
    lab("down four")
    return said[-300:]


def settings() -> str:
    """Docker's own settings: each works, or is refused before anything is built."""
    told = []
    for name, words in {
        "live-restore": {"live-restore": True},
        "iptables false": {"iptables": False},
        "data-root": {"data-root": "/mnt/store/docker"},
        "userns-remap": {"userns-remap": "default"},
    }.items():
        text = json.dumps(words)
        sh(f"sudo mkdir -p /etc/docker; echo '{text}' | sudo tee /etc/docker/daemon.json")
        restart_docker()
        done = lab("up point_to_point --name five", check=False)
        told.append(f"{name}: {done.strip().splitlines()[-1] if done.strip() else 'nothing'}")
        lab("down five", check=False)
    sh("sudo rm /etc/docker/daemon.json")
    restart_docker()
    return "; ".join(told)


PARTS: dict[str, Callable[[], str]] = {
    "setup": setup,
    "doctor": doctor,
    "by hand": by_hand,
    "multihop": multihop,
    "killed": killed,
    "containernet": containernet,
    "rehearse": rehearse,
    "reloaded": reloaded,
}
#: Those that restart Docker, after the inventory.
ROUGH: dict[str, Callable[[], str]] = {"restarted": restarted, "settings": settings}


def part(name: str, work: Callable[[], str]) -> None:
    """Do one part, and write the report with it."""
    if name not in (*ORDER["parts"], "setup", "bystanders", "machine"):
        return
    say(f"==> {name}")
    start, said, state = time.monotonic(), "", "passed"
    try:
        said = work()
    except Exception as error:  # the next part is tried all the same
        state, said = "failed", f"{type(error).__name__}: {error}"[:2000]
    seconds = round(time.monotonic() - start, 1)
    say(f"    {name}: {state} in {seconds} s: {said}")
    results.append({"part": name, "state": state, "seconds": seconds, "said": said})
    (REPORT / "report.json").write_text(json.dumps({"parts": results, "machine": MACHINE}, indent=1))


def compared(before: dict[str, str]) -> str:
    """The inventory is as before.

    Raises:
        RuntimeError: it is not; with what is new and what lacks.
    """
    after = inventory()
    (REPORT / "inventory.json").write_text(json.dumps({"before": before, "after": after}, indent=1))
    changed = []
    for name, text in before.items():
        old, new = set(text.splitlines()), set(after[name].splitlines())
        changed += [f"{name}: - {line}" for line in sorted(old - new)]
        changed += [f"{name}: + {line}" for line in sorted(new - old)]
    if changed:
        raise RuntimeError("; ".join(changed))
    return ", ".join(f"{name} {len(text.splitlines())}" for name, text in before.items())


def machine() -> dict[str, str]:
    asked = {
        "system": ". /etc/os-release; echo $PRETTY_NAME",
        "kernel": "uname -r",
        "docker": "sudo docker info --format '{{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}, "
        "{{.CgroupDriver}}'",
        "init": "ps -o comm= -p 1; systemctl --version | head -1",
        "python": "python3 --version",
        "virtualisation": "systemd-detect-virt",
    }
    return {name: sh(command, check=False, cwd=HOME).strip() for name, command in asked.items()}


MACHINE: dict[str, str] = {}


def main() -> None:
    say("the machine is up:", Path("/proc/uptime").read_text().split()[0], "s since its start")
    MACHINE.update(machine())
    (REPORT / "docker-info.json").write_text(sh("sudo docker info --format '{{json .}}'", check=False))
    people = Bystanders()
    part("bystanders", lambda: (people.start(), "two web servers with published ports, one of Compose")[1])
    part("setup", setup)
    before = inventory()
    for name, work in PARTS.items():
        if name != "setup":
            part(name, work)
    part("bystanders", people.stop)
    part("machine", lambda: compared(before))
    for name, work in ROUGH.items():
        part(name, work)
    failed = [one["part"] for one in results if one["state"] == "failed"]
    say("failed:" if failed else "all passed", *failed)
    (REPORT / "done").write_text("\n".join(map(str, failed)))


if __name__ == "__main__":
    main()
    sys.exit(0)
