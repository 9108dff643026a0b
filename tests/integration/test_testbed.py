"""Real runs, rehearsed: stand-ins reached over SSH, from check to restore, and every trouble on the way.

One lab of three stand-ins serves all tests, in the order in which they stand here: those before
`prepare`, the run and its troubles, `restore`, and at the end what cannot be mended.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.inventory import inventory

# its hosts end and connections are cut in the middle of samples, at moments that other tests would move
pytestmark = pytest.mark.timed

ROOT = Path(__file__).resolve().parents[2]
#: One cell of as many one-second samples as a test needs.
CELL = ["multihop", "--overlay", "underlay", "--duration", "1", "--cells", "latency/from=AMS/hops=1"]
CELL += ["--bringups", "1"]


@dataclass
class Rehearsal:
    """Stand-ins AMS, PRG and BRA in a row, kept by `lab testbed rehearse --keep`."""

    lab_id: str
    inventory: Path
    folders: list[Path] = field(default_factory=list)

    def on(self, host: str, script: str) -> str:
        """Run a script inside a stand-in, as if sitting at its keyboard."""
        argv = ["docker", "exec", "-i", f"lab-{self.lab_id}-{host}", "sh", "-e"]
        done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def argv(self, *words: str, book: Path | None = None) -> list[str]:
        lab = [sys.executable, "-m", "lab", "testbed", *words, "--inventory", str(book or self.inventory)]
        return ["nsenter", f"--net=/run/netns/lab-{self.lab_id}", *lab]

    def lab(self, *words: str, book: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command of `lab testbed` to its end."""
        argv = self.argv(*words, book=book)
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def ok(self, *words: str) -> str:
        done = self.lab(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def changed(self, change: Callable[[Any], Any]) -> Path:
        """Another inventory beside the first."""
        data = yaml.safe_load(self.inventory.read_text())
        change(data)
        path = self.inventory.with_name("other.yaml")
        path.write_text(yaml.safe_dump(data))
        return path

    def state(self) -> dict[str, str]:
        """What is on the stand-ins that the lab could leave behind."""
        folders = "/usr/local/lib/lab /etc/docker /var/log/lab /var/lib/lab /run/lab"
        lines = (
            "ip -o addr | sed 's/valid_lft.*//'",
            "ip -o link | sed 's/^[0-9]*://; s/@.*mtu/ mtu/; s/link.*//'",
            "ip route",
            "iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
            "cat /proc/sys/net/ipv4/ip_forward",
            f"find {folders} -type f 2>/dev/null | sort",
            "docker ps -aq; docker images -q; docker network ls --format '{{.Name}}'",
        )
        script = "\n".join(lines)
        return {host: self.on(host, script) for host in ("AMS", "PRG", "BRA")}

    def begin(self, *words: str) -> subprocess.Popen[str]:
        argv = self.argv(*words)
        return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def bed(docker_daemon: None) -> Iterator[Rehearsal]:
    before = inventory()
    argv = [sys.executable, "-m", "lab", "testbed", "rehearse", "multihop", "--keep"]
    argv += ["--topology", "linear:sites=AMS+PRG+BRA", "--overlay", "underlay"]
    holder = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    assert holder.stdout is not None
    for line in holder.stdout:
        said.append(line)
        if found := re.search(r"--net=/run/netns/lab-(\w+) .*--inventory (\S+)", line):
            break
    else:
        raise AssertionError("".join(said))
    rehearsal = Rehearsal(found[1], Path(found[2]))
    yield rehearsal
    holder.send_signal(signal.SIGINT)
    holder.communicate(timeout=60)
    assert inventory() == before


@pytest.fixture(scope="module")
def untouched(bed: Rehearsal) -> dict[str, str]:
    """What the stand-ins were before anything was done to them."""
    return bed.state()


def test_check_says_what_hosts_have_and_lack_and_changes_nothing(
    bed: Rehearsal, untouched: dict[str, str]
) -> None:
    said = bed.ok("check", "--overlay", "underlay")
    assert "3 of 3 hosts of linear answer" in said
    assert re.search(r"AMS +Debian GNU/Linux.*eth0 +eth1=auto", said)
    assert "PRG: 192.168.1.2/24 for eth1, 192.168.2.2/24 for eth2" in said
    assert bed.state() == untouched


def test_who_cannot_be_reached_is_named_with_the_reason(bed: Rehearsal) -> None:
    def change(data: Any) -> None:
        data["hosts"]["AMS"]["port"] = 2222
        data["hosts"]["PRG"]["user"] = "nobody-of-this-name"
        data["hosts"]["BRA"]["address"] = "198.18.99.99"

    done = bed.lab("check", book=bed.changed(change))
    assert done.returncode == 1
    assert "AMS cannot be reached at 198.18.0.1 port 2222: " in done.stdout
    assert (
        "PRG cannot be reached at 198.18.0.2 port 22: user 'nobody-of-this-name' is not let in" in done.stdout
    )
    assert "BRA cannot be reached at 198.18.99.99 port 22: " in done.stdout
    prepared = bed.lab("prepare", book=bed.changed(lambda data: data["hosts"]["AMS"].update(port=2222)))
    assert prepared.returncode == 1
    assert len(prepared.stderr.strip().splitlines()) == 1
    assert "AMS cannot be reached" in prepared.stderr


def test_keys_that_do_not_fit_are_named(bed: Rehearsal) -> None:
    folder = bed.inventory.parent
    lines = (folder / "known_hosts").read_text().splitlines()
    keys = {line.split()[0]: line for line in lines}
    swapped = [f"198.18.0.2 {keys['198.18.0.1'].split(' ', 1)[1]}", keys["198.18.0.1"]]
    (folder / "known_other").write_text("\n".join(swapped) + "\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "wrong")], check=False)

    def change(data: Any) -> None:
        data["ssh"]["known_hosts"] = "known_other"
        if (folder / "wrong").exists():
            data["hosts"]["AMS"]["key"] = "wrong"

    book = bed.changed(change)
    done = bed.lab("check", book=book)
    assert done.returncode == 1
    assert "PRG cannot be reached at 198.18.0.2 port 22: its host key is not the one that" in done.stdout
    assert "BRA cannot be reached at 198.18.0.3 port 22: its host key SHA256:" in done.stdout
    if (folder / "wrong").exists():
        assert (
            "AMS cannot be reached at 198.18.0.1 port 22: user 'tester' is not let in with the key"
            in done.stdout
        )
    # an unknown key is accepted when that is asked for, a changed one never
    again = bed.lab("check", "--accept-new", book=book)
    assert "BRA" not in again.stdout.split("problems")[1]
    assert "PRG cannot be reached" in again.stdout


def test_no_sudo_or_one_that_asks_is_named(bed: Rehearsal) -> None:
    bed.on("AMS", "mv /usr/bin/sudo /usr/bin/sudo.away")
    bed.on("PRG", "echo 'tester ALL=(ALL) ALL' > /etc/sudoers.d/tester")
    try:
        said = bed.lab("check").stdout
    finally:
        bed.on("AMS", "mv /usr/bin/sudo.away /usr/bin/sudo")
        bed.on("PRG", "echo 'tester ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/tester")
    assert "AMS: sudo is not installed there" in said
    assert "PRG: sudo asks for a password there" in said


def test_interfaces_that_cannot_be_ports_are_named(bed: Rehearsal) -> None:
    def change(data: Any) -> None:
        data["hosts"]["AMS"]["ports"] = {"eth1": "ens9"}
        data["hosts"]["PRG"]["ports"] = {"eth1": "eth1", "eth2": "eth2"}
        data["hosts"]["BRA"]["ports"] = {"eth1": "eth0"}

    bed.on("PRG", "ip addr add 10.9.9.9/24 dev eth2")
    try:
        said = bed.lab("check", book=bed.changed(change)).stdout
    finally:
        bed.on("PRG", "ip addr del 10.9.9.9/24 dev eth2")
    assert "AMS has no interface ens9, which the inventory gives for eth1; it has eth0, eth1" in said
    assert "PRG: eth2, which is to be eth2, has the address 10.9.9.9/24, which is not the lab's" in said
    assert "BRA: eth0 carries the SSH connection, and the inventory gives it for eth1" in said


def test_a_kernel_without_what_an_overlay_needs_is_named_with_the_overlay(bed: Rehearsal) -> None:
    done = bed.lab("check", "--overlay", "weave:mode=fastdp")
    if done.returncode == 0:
        pytest.skip("this kernel has Open vSwitch")
    assert (
        "AMS: weave:mode=fastdp needs Open vSwitch in its kernel; load the openvswitch module" in done.stdout
    )


def test_a_run_before_prepare_is_refused(bed: Rehearsal, untouched: dict[str, str]) -> None:
    bed.on("PRG", "docker image tag lab/gtsperf kept:away; docker image rm lab/gtsperf")
    done = bed.lab("run", *CELL)
    assert done.returncode == 1
    assert "PRG is not prepared: it lacks the endpoint image; run 'lab testbed prepare' first" in done.stderr


def test_what_would_run_as_root_is_told_before(bed: Rehearsal) -> None:
    said = bed.ok("prepare", "--dry-run")
    assert "docker load   # the endpoint image" in said
    assert re.search(r"write and run /usr/local/lib/lab/data-plane:\n +port eth1 192.168.1.1/24 1500", said)
    assert "as root on every host" in bed.ok("run", *CELL, "--dry-run")


def test_a_full_disk_is_named(bed: Rehearsal) -> None:
    bed.on("BRA", "mkdir -p /var/lib/lab; mount -t tmpfs -o size=4k,nr_inodes=2 none /var/lib/lab")
    try:
        done = bed.lab("prepare")
    finally:
        bed.on("BRA", "umount /var/lib/lab; rmdir /var/lib/lab")
    assert done.returncode == 1
    assert re.search(r"BRA: .*is its disk full", done.stderr), done.stderr


def test_ports_that_are_swapped_or_dead_are_named_with_the_cable(
    bed: Rehearsal, untouched: dict[str, str]
) -> None:
    def change(data: Any) -> None:
        data["hosts"]["PRG"]["ports"] = {"eth1": "eth2", "eth2": "eth1"}

    done = bed.lab("prepare", book=bed.changed(change))
    assert done.returncode == 1
    assert "link AMS-PRG (AMS eth1 to PRG eth2) is swapped: behind AMS eth1 is PRG eth1" in done.stderr
    port = ["ip", "-n", f"lab-{bed.lab_id}", "link", "set", "1a"]
    subprocess.run([*port, "down"], check=True)

    def name_all(data: Any) -> None:
        for machine in data["hosts"].values():
            machine["ports"] = {name: name for name in machine["ports"]}

    try:
        done = bed.lab("prepare", book=bed.changed(name_all))
    finally:
        subprocess.run([*port, "up"], check=True)
    assert done.returncode == 1
    assert "link AMS-PRG (AMS eth1 to PRG eth1) is dead: AMS eth1 has no carrier" in done.stderr
    bed.ok("restore")
    after = bed.state()
    for host in ("AMS", "BRA"):
        assert sorted(after[host].split("\n")) == sorted(untouched[host].split("\n"))


def test_prepare_brings_what_is_missing_and_twice_changes_nothing(bed: Rehearsal) -> None:
    said = bed.ok("prepare")
    assert "data plane set up on AMS, PRG, BRA" in said
    after = bed.state()
    assert "192.168.2.2/24" in after["PRG"]
    assert "every host was ready" in bed.ok("prepare")
    assert bed.state() == after


def samples(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def test_a_run_has_the_folder_of_an_emulated_one_and_the_facts_of_each_host(
    bed: Rehearsal, tmp_path: Path
) -> None:
    said = bed.ok("run", *CELL, "--repetitions", "2", "--rate", "20", "--results", str(tmp_path))
    assert "20 Mbit/s" in said
    (folder,) = tmp_path.iterdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["complete"]
    assert manifest["environment"]["hosts"].keys() == {"AMS", "PRG", "BRA"}
    assert manifest["environment"]["clocks"]["AMS"]["within_ms"] > 0
    assert manifest["calibration"]["AMS-PRG"]["median_ms"] == pytest.approx(21.75, abs=1.5)
    found = samples(folder)
    assert [21.0 < s["values"]["median_ms"] < 24.0 for s in found] == [True, True]
    assert found[0]["machine"]["hosts"].keys() == {"AMS", "PRG", "BRA"}
    assert (folder / "report.html").exists()
    assert {path.name for path in (folder / "hosts").iterdir()} == {"AMS.log", "PRG.log", "BRA.log"}
    heard = (folder / "hosts" / "AMS.log").read_text()
    number = re.search(r"Z (\d+) \$ docker exec .*netperf ", heard)
    assert number, heard
    assert re.search(rf"Z {number[1]} out MIN_LATENCY=\d", heard)
    assert f"Z {number[1]} end status 0, " in heard


def wait_for_samples(results: Path, count: int, command: subprocess.Popen[str]) -> Path:
    deadline = time.monotonic() + 120
    while sum(p.read_bytes().count(b"\n") for p in results.glob("*/samples.jsonl")) < count:
        assert command.poll() is None, command.stdout.read() if command.stdout else ""
        assert time.monotonic() < deadline, "no samples"
        time.sleep(0.05)
    (folder,) = results.iterdir()
    return folder


def test_a_connection_that_is_cut_costs_one_attempt_and_daemons_survive_it(
    bed: Rehearsal, tmp_path: Path
) -> None:
    words = [word if word != "underlay" else "tinc" for word in CELL]
    command = bed.begin("run", *words, "--repetitions", "4", "--results", str(tmp_path))
    folder = wait_for_samples(tmp_path, 1, command)
    daemon = bed.on("AMS", "pgrep tincd")
    bed.on("AMS", "for p in $(pgrep -f 'sshd: tester'); do kill -9 $p || :; done")
    assert bed.on("AMS", "pgrep tincd") == daemon
    said, _ = command.communicate(timeout=120)
    assert command.returncode == 0, said
    found = samples(folder)
    assert sum(s["outcome"] == "ok" for s in found) == 4
    failed = [s["error"] for s in found if s["outcome"] == "failed"]
    assert all("AMS: the connection to 198.18.0.1 port 22 was lost" in words for words in failed)


#: All that ends with a reboot: processes but the first, addresses, what lies in memory.
REBOOT = """\
for p in $(pgrep dockerd) $(pgrep containerd) $(pgrep sshd); do kill -9 $p 2>/dev/null || :; done
rm -rf /run/lab/daemons /var/run/docker.pid /run/lab-dockerd.pid
for i in eth1 eth2; do ip addr flush dev $i 2>/dev/null; ip link set $i down 2>/dev/null; done
ip route flush proto 202 2>/dev/null || :
"""


def test_a_host_that_goes_keeps_its_samples_is_named_and_the_run_goes_on_when_it_is_back(
    bed: Rehearsal, tmp_path: Path
) -> None:
    command = bed.begin("run", *CELL, "--repetitions", "5", "--results", str(tmp_path))
    folder = wait_for_samples(tmp_path, 2, command)
    bed.on("PRG", REBOOT)
    said, _ = command.communicate(timeout=180)
    assert command.returncode == 1
    assert "PRG" in said
    assert "Traceback" not in said
    finished = [s for s in samples(folder) if s["outcome"] == "ok"]
    assert len(finished) >= 2
    # resuming while it is away names it
    gone = bed.lab("run", "multihop", "--resume", str(folder))
    assert gone.returncode == 1
    assert "PRG cannot be reached at 198.18.0.2 port 22" in gone.stderr
    # and once it is back, as a machine comes back, the run goes on
    bed.on("PRG", "/usr/sbin/sshd; /usr/local/lib/lab/docker-daemon start")
    bed.ok("prepare")
    bed.ok("run", "multihop", "--resume", str(folder))
    # traffic that ended as the host went counts as what it is, and is not measured again
    counted = Counter(s["repetition"] for s in samples(folder) if s["outcome"] == "ok" or s["collapsed"])
    assert counted == dict.fromkeys(range(1, 6), 1)


def test_two_people_on_the_same_hosts(bed: Rehearsal) -> None:
    claim = json.loads(bed.on("PRG", "cat /var/lib/lab/testbed/claim.json"))
    other = {**claim, "who": "eva", "machine": "desk", "since": "2030-01-02T03:04:05+00:00"}
    bed.on("PRG", f"echo '{json.dumps(other)}' > /var/lib/lab/testbed/claim.json")
    done = bed.lab("run", *CELL)
    assert done.returncode == 1
    assert "PRG: in use by eva on desk since 2030-01-02T03:04:05+00:00" in done.stderr
    assert "eva on desk since 2030" in bed.ok("check", "--overlay", "underlay")
    bed.ok("prepare", "--take-over")
    assert json.loads(bed.on("PRG", "cat /var/lib/lab/testbed/claim.json"))["who"] == claim["who"]


def test_restore_leaves_hosts_as_they_were_even_after_a_run_that_was_killed(
    bed: Rehearsal, untouched: dict[str, str], tmp_path: Path
) -> None:
    words = [word if word != "underlay" else "libnetwork" for word in CELL]
    command = bed.begin("run", *words, "--repetitions", "9", "--results", str(tmp_path))
    folder = wait_for_samples(tmp_path, 1, command)
    os.kill(command.pid, signal.SIGKILL)
    command.communicate()
    assert " out " in (folder / "hosts" / "AMS.log").read_text(), "what was printed is there at once"
    said = bed.ok("restore")
    assert "every host is as it was" in said, said
    bed.on("PRG", "docker image tag kept:away lab/gtsperf 2>/dev/null || :; docker image rm kept:away || :")
    after = bed.state()
    for host in untouched:
        assert sorted(after[host].split("\n")) == sorted(untouched[host].split("\n"))
    assert "nothing of the lab is on these hosts" in bed.ok("restore")


def test_no_docker_and_no_way_to_install_it_is_named(bed: Rehearsal) -> None:
    bed.on("AMS", "/usr/local/lib/lab/docker-daemon stop; dpkg --remove --force-depends docker.io >/dev/null")
    said = bed.ok("check", "--overlay", "underlay")
    assert "AMS: packages docker.io" in said
    done = bed.lab("prepare")
    assert done.returncode == 1
    assert "AMS: docker.io cannot be installed there: " in done.stderr
    assert "give it a way to its package sources" in done.stderr
    shutil.rmtree(bed.inventory.parent / "none", ignore_errors=True)
