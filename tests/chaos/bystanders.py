"""What a lab must leave alone: another lab that is up, a container of somebody else, packets under way."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.emulation import registry
from lab.emulation.ownership import Process
from lab.errors import LabError
from tests.paths import ROOT

LAB, CONTAINER = "bystander", "bystander-of-chaos"
#: Seconds between two packets, and so many of them may be lost by a machine that is short of time.
INTERVAL, LOST = 0.2, 2


def lab(*words: str, timeout: float = 180.0) -> subprocess.CompletedProcess[str]:
    """Run a command of the lab to its end."""
    argv = [sys.executable, "-m", "lab", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout)


class Bystanders:
    """A lab of two hosts with packets between them, and a container; up as long as the block lasts."""

    def __enter__(self) -> Bystanders:
        done = lab("up", "point_to_point", "--name", LAB, "--rate", "100")
        if done.returncode:
            raise RuntimeError(f"the bystander's lab does not come up: {done.stdout}{done.stderr}")
        start = ["docker", "run", "--detach", "--name", CONTAINER, "--network", "none", "lab/gtsperf"]
        subprocess.run([*start, "sleep", "100000"], check=True, capture_output=True)
        one, other = registry.find(LAB).hosts
        self._host, self._before, self._last = one.name, self._processes(), 0
        self._said = Path(tempfile.mkstemp(prefix="bystander")[1])
        # in the network of a host and with its files alone: no process of the lab
        argv = [
            "nsenter",
            f"--target={one.pid}",
            "--net",
            "--mount",
            "stdbuf",
            "-oL",
            "ping",
            "-n",
            "-i",
            str(INTERVAL),
        ]
        with self._said.open("w") as file:
            self._ping = subprocess.Popen([*argv, other.addresses[0]], stdout=file, stderr=file)
        return self

    def __exit__(self, *_: object) -> None:
        self._ping.kill()
        self._ping.wait()
        self._said.unlink()
        subprocess.run(["docker", "rm", "--force", CONTAINER], check=False, capture_output=True)
        lab("down", LAB)

    def touched(self) -> list[str]:
        """Return what became of them since the last look, in words: nothing, where nothing did."""
        now = self._processes()
        found = [
            f"the first process of {name} is another"
            for name, one in self._before.items()
            if now.get(name) != one
        ]
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", self._said.read_text())}
        last = max(answered, default=0)
        if last == self._last:
            said = self._said.read_text().strip().splitlines()[-1:]
            found.append(f"no packet goes through the bystander's lab: {said}")
        elif (lost := last - self._last - len(answered & set(range(self._last + 1, last + 1)))) > LOST:
            found.append(f"{lost} of {last - self._last} packets of the bystander's lab are lost")
        if (done := lab("exec", "--lab", LAB, self._host, "--", "true")).returncode:
            found.append(f"the bystander's host cannot be entered: {done.stderr.strip()}")
        self._last, self._before = last, now
        return found

    @staticmethod
    def _processes() -> dict[str, Process]:
        """Return the first process of every host, and of the container, that lives."""
        inspect = ["docker", "inspect", "--format", "{{.State.Pid}}", CONTAINER]
        pid = subprocess.run(inspect, capture_output=True, text=True, check=False).stdout.strip()
        found = {CONTAINER: Process.of(int(pid or 0))}
        try:
            found |= {host.name: host.process for host in registry.find(LAB).hosts}
        except LabError:
            return found
        return {name: process for name, process in found.items() if process.alive()}
