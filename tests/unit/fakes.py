"""An overlay, an experiment and hosts in memory, for tests of the run engine. Nothing here measures."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.emulation.ownership import Process
from lab.emulation.registry import HostRecord, OverlayRecord, Record
from lab.errors import MeasureError
from lab.hosts.host import Endpoint, HostFacts, Result
from lab.runs.experiment import Cell, Experiment, Profile, Reading
from lab.runs.manifest import Manifest, OverlayState
from lab.runs.run_folder import RunFolder
from lab.runs.target import RunTarget
from lab.topology import Topology
from overlays.base import Missing, Overlay
from topologies.linear import topology as linear

ME = Process.of(os.getpid())
Answer = Callable[[Sequence[str]], tuple[int, str]]


class FakeHost:
    """Answers every command by a function; remembers what was asked.

    Every address that it is told to reach answers, unless it is `silent`: then the function says.
    `docker` is the version of its daemon, () for none.
    """

    def __init__(
        self,
        name: str,
        answer: Answer = lambda argv: (0, ""),
        *,
        silent: bool = False,
        docker: tuple[int, ...] = (20, 10),
    ) -> None:
        self.silent, self.docker = silent, docker
        self.name, self.site, self.addresses = name, name, ("192.0.2.1",)
        self.answer, self.ran, self.fed = answer, list[tuple[str, ...]](), list[str]()

    async def run(
        self, argv: Sequence[str], *, check: bool = True, stdin: bytes | None = None, **_: Any
    ) -> Result:
        self.ran.append(tuple(argv))
        self.fed += [] if stdin is None else [stdin.decode()]
        if argv[-1] == "sh" and stdin and not self.silent:
            return Result(tuple(argv), 0, "\n".join(re.findall(r"echo (\S+)\)", self.fed[-1])), "", 0.0)
        status, stdout = self.answer(argv)
        return Result(tuple(argv), status, stdout, "", 0.0)

    async def facts(self) -> HostFacts:
        return HostFacts("6.1", "x86_64", self.docker)

    async def start(self, name: str, argv: Sequence[str], **_: Any) -> None: ...
    async def stop(self, name: str) -> None: ...

    async def alive(self, name: str) -> bool:
        return True

    async def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None: ...

    async def get(self, path: str) -> bytes:
        return b""


class FakeOverlay(Overlay):
    """Says what it is told to say; `told` remembers what was asked of it."""

    name = "fake"
    summary = "an overlay in memory"
    hops = "routed underlay"

    def __init__(self, **faults: Any) -> None:
        super().__init__()
        self.told: list[str] = []
        self.faults = faults
        self.now = {"mode": "fast"}

    def obtainable(self) -> Missing | None:  # type: ignore[override]
        missing: Missing | None = self.faults.get("missing")
        return missing

    async def install(self, hosts: Sequence[Any], topology: Topology) -> None:
        self._do("install")

    async def ready(self, timeout: float = 60.0) -> None:
        self._do("ready")

    async def attach(self, host: Any, image: str = "", name: str = "endpoint") -> Endpoint:
        return Endpoint(host, "endpoint", "192.0.2.1", overlay=self.name)

    async def mode(self) -> Mapping[str, str]:
        self._do("mode")
        return dict(self.now)

    async def logs(self) -> Mapping[str, bytes]:
        return {"AMS/faked.log": b"not after uninstall" if "uninstall" in self.told else b"all is well"}

    async def uninstall(self) -> None:
        self._do("uninstall")

    def _do(self, word: str) -> None:
        self.told.append(word)
        if error := self.faults.get(word):
            raise error


class FakeExperiment(Experiment):
    """Two cells; `measured` remembers what was measured; `fails` says which attempts fail."""

    name = "fake"
    summary = "nothing"
    source = "nobody"
    topology = "linear"
    overlays = ("fake",)
    profiles: Mapping[str, Profile] = {"quick": Profile("quick", {"x": 2, "y": 3}, {"x": 0, "y": 0})}

    def __init__(self, fails: Callable[[Cell, int], bool] = lambda cell, attempt: False) -> None:
        self.measured: list[str] = []
        self.recovered = 0
        self.fails = fails

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        return [Cell(overlay, metric, {}, profile.repetitions[metric], 0.0) for metric in ("x", "y")]

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        self.recovered += 1

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        self.measured.append(cell.key)
        if self.fails(cell, self.measured.count(cell.key)):
            raise MeasureError("tool", "said no", "its own words", ("tool", "-x"))
        return Reading({"value": 1.0}, "raw output\n", ("tool", "-y"), {"version": "1"})

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return {"value": 1.0}


class IdleMachine:
    """A machine on which nothing happens but what a test says."""

    def __init__(self, **record: Any) -> None:
        self.record = {"seconds": 1.0, "busy": 0.1, "steal": 0.0, "hosts": {}, **record}

    async def start(self) -> None: ...

    async def stop(self) -> dict[str, Any]:
        return dict(self.record)


def fake_lab(machine: IdleMachine | None = None) -> RunTarget:
    """Two hosts and their link."""
    topology = linear(["AMS", "PRG"])
    hosts: Any = {host.name: FakeHost(host.name) for host in topology.hosts}
    return RunTarget(topology, hosts, machine or IdleMachine())


def manifest(**more: Any) -> Manifest:
    """A manifest of a fake run."""
    known: dict[str, Any] = {
        "run": "abc123",
        "experiment": "fake",
        "created": "2030-01-02T03:04:05+00:00",
        "topology": linear(["AMS", "PRG"]).to_dict(),
        "profile": asdict(FakeExperiment.profiles["quick"]),
        "shaper": "none",
        "rate": 20.0,
        "seed": 7,
        "overlays": {"fake": OverlayState()},
    }
    return Manifest(**{**known, **more})


def new_folder(path: Path, **more: Any) -> RunFolder:
    """A fresh run folder below `path`."""
    return RunFolder.create(path, manifest(**more))


def lab_record(**hosts: Process) -> Record:
    """A lab of these hosts, each with an endpoint on Flannel, on a link between the first two."""
    made = [
        HostRecord(name, n + 1, name, (f"192.168.1.{n + 1}",), f"lab-x-{name}", "id", p.pid, p.started)
        for n, (name, p) in enumerate(hosts.items())
    ]
    ends = tuple(
        {
            "host": h.name,
            "container": f"flannel-endpoint-{h.name}",
            "address": "10.0.0.2",
            "overlay": "flannel",
        }
        for h in made
    )
    a, b = (host.name for host in made[:2])
    link = {"name": f"{a}-{b}", "number": 7, "a": a, "b": b, "interface_a": "eth1", "interface_b": "eth2"}
    return Record(
        "x", "class", hosts=made, links=[link], overlays=[OverlayRecord("flannel", tuple(hosts), {}, ends)]
    )
