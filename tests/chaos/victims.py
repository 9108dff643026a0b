"""The commands that are killed: how each is begun, at what moment, and what of it is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from lab.emulation import registry
from lab.emulation.docker.daemon import DaemonPaths, ExistingPaths
from lab.emulation.ownership import Process, processes_with
from tests.chaos.bystanders import lab
from tests.paths import ROOT

#: Names of labs begin so.
VICTIM = "victim"
#: A command whose docker or wire was killed must end by itself in this time (s).
PATIENCE = 180.0
#: A moment is drawn up to this (s), or up to the time that the command took last, and a bit.
LONGEST = {"up": 4.0, "emulate": 12.0, "rehearse": 25.0, "down": 1.5, "cleanup": 1.5}
VERBS = ("up", "up", "up", "emulate", "emulate", "rehearse", "down", "down", "cleanup", "cleanup")
KINDS = ("process", "process", "group", "docker", "wire")
#: One cell of one sample of a second.
RUN = (
    *("multihop", "--overlay", "underlay", "--repetitions", "1", "--duration", "1", "--rate", "20"),
    *("--cells", "latency/from=AMS/hops=1"),
)
UP = (
    ("point_to_point", "--daemons", "none"),
    ("point_to_point",),
    ("linear", "--daemons", "none", "--overlay", "tinc"),
    ("linear", "--overlay", "underlay"),
)


@dataclass(frozen=True)
class Plan:
    """What is done to one command: `kind` of it is killed `moment` s after its start."""

    verb: str
    topology: tuple[str, ...]
    kind: str
    moment: float

    def __str__(self) -> str:
        topology = f" {' '.join(self.topology)}" if self.verb in ("up", "down", "cleanup") else ""
        return f"{self.verb}{topology}: {self.kind} killed after {self.moment:.2f} s"


def draw(chance: random.Random, *, short: bool = False) -> Plan:
    """Draw a plan; a short one is of a command that takes few seconds."""
    verb = chance.choice([verb for verb in VERBS if not short or verb in ("up", "down", "cleanup")])
    moment = chance.uniform(0, LONGEST[verb])
    return Plan(verb, chance.choice(UP[:1] if short else UP), chance.choice(KINDS), moment)


class Victim:
    """One command that is killed at some moment, and what it left."""

    def __init__(self, plan: Plan, name: str, results: Path) -> None:
        self.plan, self.name, self.results = plan, name, results
        self.killed = False
        self._said = Path(tempfile.mkstemp(prefix="victim")[1])

    def prepare(self) -> None:
        """Make what the command works on: a lab to take down, or one to clean up."""
        if self.plan.verb in ("down", "cleanup"):
            done = lab("up", *self.plan.topology, "--name", self.name)
            if done.returncode:
                raise RuntimeError(f"nothing to kill {self.plan.verb} over: {done.stderr}")
        if self.plan.verb == "cleanup":
            # such as an `up` leaves that was killed
            (registry.find(self.name).state.folder / "owner.json").unlink()

    def argv(self) -> list[str]:
        """Return the words of the command."""
        runs = [*RUN, "--results", str(self.results)]
        words = {
            "up": ["up", *self.plan.topology, "--name", self.name],
            "emulate": ["emulate", *runs],
            "rehearse": ["testbed", "rehearse", *runs],
            "down": ["down", self.name],
            "cleanup": ["cleanup"],
        }[self.plan.verb]
        return [sys.executable, "-m", "lab", *words]

    def begin(self) -> None:
        """Start the command, in a group of its own."""
        with self._said.open("w") as file:
            self.process = subprocess.Popen(
                self.argv(), cwd=ROOT, stdout=file, stderr=file, start_new_session=True
            )
        self._due = monotonic() + self.plan.moment

    def strike(self, others: Sequence[str]) -> None:
        """Wait for the moment, and kill; `others` are ids of labs whose parts stay."""
        sleep(max(0.0, self._due - monotonic()))
        self.killed = self.process.poll() is None
        with suppress(ProcessLookupError):
            if self.plan.kind == "process":
                self.process.kill()
            elif self.plan.kind == "group":
                os.killpg(self.process.pid, signal.SIGKILL)
            elif self.plan.kind == "docker" and ExistingPaths.read(DaemonPaths().record) is not None:
                os.kill(int(DaemonPaths().pidfile.read_text()), signal.SIGKILL)
            elif self.plan.kind == "wire":
                for one in wires(others):
                    one.kill()

    def finish(self) -> list[str]:
        """Wait for the command's end; returns what is wrong with that, in words."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return [f"{self.plan.verb} does not end"]
        finally:
            said = self._said.read_text(errors="replace")
            self._said.unlink()
        return [f"a traceback: {said[-1500:]}"] if "Traceback" in said else []

    def lost(self) -> list[str]:
        """Return what the command had and has no longer: a lab that was said to be up, samples on disk."""
        succeeded = self.process.returncode == 0
        found = []
        if (
            self.plan.verb == "up"
            and succeeded
            and not any(one.name == self.name for one in registry.records())
        ):
            found.append(f"lab {self.name} was said to be up")
        for folder in self.results.glob("*"):
            done = lab("report", str(folder)) if (folder / "samples.jsonl").exists() else None
            if done is not None and done.returncode and "Traceback" in done.stderr:
                found.append(f"{folder} cannot be read: {done.stderr[-500:]}")
        return found


def wires(others: Sequence[str]) -> list[Process]:
    """Find the wires of all labs but these."""
    marks = {f"LAB_ID={one}" for one in others}
    found = []
    for record in registry.records():
        if f"LAB_ID={record.lab_id}" not in marks:
            for one in processes_with(f"LAB_ID={record.lab_id}"):
                with suppress(OSError):
                    if b"lab.emulation.wire.daemon" in Path(f"/proc/{one.pid}/cmdline").read_bytes():
                        found.append(one)
    return found
