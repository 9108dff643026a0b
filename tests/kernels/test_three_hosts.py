"""Three hosts with Docker on cgroup v2 and netem, on a kernel in a virtual machine.

    python tests/kernels/vm.py

Software emulation is some twenty times slower than the machine: nothing here says how fast or how
exact anything is, but that a lab comes up, is shaped by netem, is limited by cgroup v2, is measured
and judged, and goes again without a trace.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from lab.app.request import load_experiment
from lab.app.trial import TrialLab, trial
from lab.emulation.docker import containers, daemon
from lab.events import Event, StepDone
from lab.hosts import command
from lab.hosts.host import Result
from lab.runs.experiment import Cell
from overlays.registry import parse
from topologies import linear

NAMES = ("AMS", "PRG", "BRA")
TOPOLOGY = linear.topology(NAMES, rate=20.0).with_cpus(0.5)
ENDS = {"from": "AMS", "to": "BRA", "hops": 2}
GROUPS = Path("/sys/fs/cgroup")

pytestmark = pytest.mark.skipif(
    "LAB_BOX" not in os.environ, reason="runs in a virtual machine: python tests/kernels/vm.py"
)


def say(*words: object) -> None:
    """A line for the record."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    """A Docker daemon with the lab's images in it, and patience for those of hosts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "PATIENCE", 600.0)
        patch.setattr(daemon, "START_PATIENCE", 600.0)
        yield from answering()


def answering() -> Iterator[None]:
    found, start = daemon.Daemon(), monotonic()
    found.ensure()
    say(f"Docker answers after {monotonic() - start:.0f} s")
    yield
    found.release()


def told(event: Event) -> None:
    if isinstance(event, StepDone):
        say(f"{event.step}: {event.seconds:.1f} s")


async def patient(argv: Sequence[str], *, timeout: float = 60.0, **more: Any) -> Result:
    """Run a command of this machine; every one has ten times its time."""
    return await command.run(argv, timeout=10 * timeout, **more)


@asynccontextmanager
async def up(overlay: str) -> AsyncIterator[TrialLab]:
    experiment = load_experiment("multihop")
    async with trial(TOPOLOGY, parse(overlay), experiment, cells(overlay), run=patient, emit=told) as lab:
        yield lab


def cells(overlay: str) -> list[Cell]:
    return [Cell(overlay, "latency", ENDS, 1, 2.0), Cell(overlay, "tcp", ENDS, 1, 4.0)]


def left() -> str:
    """Namespaces of labs, and containers, that are there."""
    names = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    ids = subprocess.run(["docker", "ps", "-aq"], capture_output=True, text=True, check=True).stdout
    return "".join(line for line in names.splitlines() if line.startswith("lab-")) + ids


#: Docker's answers take emulated processors longer than an overlay waits for them.
FAST = pytest.mark.skipif(
    os.environ.get("LAB_BOX") != "kvm", reason="overlays need processors that are not emulated"
)


@pytest.mark.parametrize("overlay", ["underlay", pytest.param("libnetwork", marks=FAST)])
async def test_a_lab_is_built_measured_and_taken_away(images: None, overlay: str) -> None:
    # given a kernel with cgroup v2 alone, and netem
    assert (GROUPS / "cgroup.controllers").exists()
    say(os.uname().release, (GROUPS / "cgroup.controllers").read_text().strip())
    async with up(overlay) as lab:
        assert lab.emulation.shaper is not None
        assert lab.emulation.shaper.name == "netem"
        assert set(lab.emulation.hosts) == set(NAMES)
        # then a host has the half of a CPU that was asked, and its Docker answers
        containers = [path for path in GROUPS.rglob("cpu.max") if path.read_text().split()[0] != "max"]
        assert len(containers) == len(NAMES), containers
        for host in lab.emulation.hosts.values():
            assert (await host.facts()).docker >= (20, 10)
        # and packets take as long over two hops as was asked, and what the guest itself takes
        latency, tcp = cells(overlay)
        sample = await lab.sample(latency)
        say("latency", sample.values, sample.verdict)
        assert sample.ok, sample.error
        assert TOPOLOGY.rtt("AMS", "BRA") < sample.values["mean_ms"] < TOPOLOGY.rtt("AMS", "BRA") + 60
        # and a sample of TCP stays below the rate, and is recorded and judged as on any machine
        sample = await lab.sample(tcp)
        say("tcp", sample.values, sample.verdict, sample.machine)
        assert sample.ok, sample.error
        assert 0 < sample.values["received_mbps"] < 20
        assert sample.machine["hosts"].keys() == set(NAMES)
        assert all(cpu["cpu_s"] > 0 for cpu in sample.machine["hosts"].values())
        assert sample.verdict.state in ("valid", "host-bound", "emulator-bound"), sample.verdict
    assert left() == ""
