"""The congestion experiment itself, where Weave has its fast datapath: what answers the thesis's question.

    python tests/kernels/run.py --keep FOLDER env LAB_WEAVER=… .venv/bin/python -m pytest -sv \\
        -p no:cacheprovider tests/kernels/test_congestion.py

The engine measures as it does elsewhere, on hosts that are namespaces; the run folder, with its report,
is kept in FOLDER. That kernel has one processor, so every sample is bound by the machine and no
throughput counts; the datapath's counters do: how many lookups miss does not hang on the pace.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pytest

from experiments.congestion.experiment import Congestion
from lab.hosts.host import Endpoint, Host, Result
from lab.report.claims import REPRODUCED
from lab.report.html import write
from lab.runs.environment import environment
from lab.runs.experiment import Profile
from lab.runs.manifest import Manifest, OverlayState, RunSession
from lab.runs.run_folder import RunFolder, read
from lab.runs.runner import run_experiment
from lab.runs.target import RunTarget
from lab.topology import Topology
from overlays.weave import router
from overlays.weave.overlay import Weave
from tests.kernels.namespaces import NamespaceHost, wire
from tests.kernels.test_fastdp import NAMES, say
from topologies import linear

pytestmark = pytest.mark.timeout(900)
INSIDE = ("ip", "netns", "exec", "endpoint")
PROFILE = Profile(
    "shrunk", {"tcp": 1}, {"tcp": 3}, {"tcp": 1}, why="seconds, in a kernel on one processor", bring_ups=3
)


@dataclass(frozen=True)
class NamespaceEndpoint(Endpoint):
    """An endpoint that is a namespace, not a container."""

    async def run(self, argv: Sequence[str], **more: object) -> Result:
        return await self.host.run([*INSIDE, *argv], **more)  # type: ignore[arg-type]

    async def start(self, argv: Sequence[str]) -> None:
        await self.host.run(["sh", "-c", 'setsid "$@" >/dev/null 2>&1 &', "sh", *INSIDE, *argv])


class Attaching(Weave):
    """The overlay with endpoints on its bridge."""

    async def attach(self, host: Host, image: str = "", name: str = "endpoint") -> Endpoint:
        address, mtu = f"10.32.0.{self.topology.host(host.name).number}", str(self.mtu)
        add = ["ip", "link", "add", "out", "mtu", mtu, "type", "veth", "peer", "name", "eth0", "mtu", mtu]
        for argv in (
            ["ip", "netns", "add", "endpoint"],
            [*add, "netns", "endpoint"],
            ["ip", "link", "set", "out", "master", "weave", "up"],
            ["ip", "-n", "endpoint", "addr", "add", f"{address}/12", "dev", "eth0"],
            ["ip", "-n", "endpoint", "link", "set", "eth0", "up"],
            # as the router's plugin does: the router reads some packets before a checksum is filled in
            [*INSIDE, "ethtool", "-K", "eth0", "tx", "off"],
        ):
            await host.run(argv)
        return NamespaceEndpoint(host, "endpoint", address, overlay=self.name)


class OnlyTcp(Congestion):
    """Without netperf's servers: nothing here asks for latency."""

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        for endpoint in endpoints.values():
            await endpoint.start(["iperf3", "-s"])
            while ":5201" not in (await endpoint.run(["ss", "-Hltn"])).stdout:
                await asyncio.sleep(0.2)

    async def recover(self, endpoints: Mapping[str, Endpoint]) -> None:
        for endpoint in endpoints.values():
            await endpoint.run(["pkill", "-KILL", "-x", "iperf3"], check=False)
        await self.prepare(endpoints)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Topology, dict[str, NamespaceHost]]]:
    if router.program() is None:
        pytest.skip(f"no Weave router's program is here; {router.REMEDY}")
    monkeypatch.setenv("PATH", f"/run/bin:{os.environ['PATH']}")
    topology = linear.topology(NAMES)
    made = {h.name: NamespaceHost(h.name, h.site, topology.addresses(h.name)) for h in topology.hosts}
    while not all(host.ready() for host in made.values()):
        sleep(0.1)
    for argv in wire(topology, made):
        subprocess.run(argv, check=True)
    yield topology, made
    for host in made.values():
        host.end()


def controls() -> list[str]:
    """What of the experiment's congestion controls this kernel has."""
    there = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    return [name for name in ("bbr", "cubic", "reno") if name in there]


def test_relays_miss_their_flows_and_the_report_shows_it(
    hosts: tuple[Topology, dict[str, NamespaceHost]], tmp_path: Path
) -> None:
    topology, made = hosts
    experiment, name = OnlyTcp(), "weave:mode=fastdp"
    manifest = Manifest(
        run=os.environ.get("LAB_RUN", "fastdp"),
        experiment="congestion",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        topology=topology.to_dict(),
        profile=asdict(PROFILE),
        bring_ups=PROFILE.bring_ups,
        only=[f"control={control}" for control in controls()],
        overlays={name: OverlayState()},
        environment=environment(),
        sessions=[RunSession(started=datetime.now(UTC).isoformat(timespec="seconds"), command=sys.argv[:])],
    )
    with RunFolder.create(tmp_path, manifest) as folder:
        lab = RunTarget(topology, made)
        work = run_experiment(experiment, lab, {name: Attaching(mode="fastdp")}, PROFILE, folder)
        outcome = asyncio.run(work)
    run = read(folder.path)
    figures = experiment.figures(run, folder.path / "figures")
    write(run, experiment, folder.path, figures)
    if keep := os.environ.get("LAB_REPORT"):
        shutil.copytree(folder.path, Path(keep, folder.path.name))
    (table,) = [t for t in experiment.tables(run) if "datapaths" in t.title]
    for row in table.sections[0].rows:
        say(*row)
    claim = next(claim for claim in experiment.claims if "relays" in claim.text)
    answer = claim.answer(run)
    say(answer.verdict, answer.text)
    assert outcome.status == 0
    if os.environ.get("LAB_RUN", "fastdp") == "fastdp":
        assert answer.verdict == REPRODUCED, "another program may have other flows"
