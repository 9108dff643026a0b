"""A run on a real overlay whose mode changes, or that loses a daemon, in the middle of a sample."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from lab.emulation.emulation import Emulation
from lab.errors import MeasureError
from lab.hosts.host import Endpoint
from lab.report import captions
from lab.runs.experiment import Cell, Reading
from lab.runs.run_folder import StoredRun, read
from lab.runs.runner import run_experiment
from lab.runs.target import RunTarget
from overlays.base import Overlay
from tests.integration.test_overlays import inventory, obtainable
from tests.unit.fakes import FakeExperiment, IdleMachine, new_folder
from topologies import linear

Blow = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def lab(loop: asyncio.Runner, docker_daemon: None) -> Iterator[Emulation]:
    emulation = Emulation(linear.topology(["AMS", "PRG", "BRA"]))
    loop.run(emulation.up())
    yield emulation
    loop.run(emulation.down())


class Pings(FakeExperiment):
    """Five samples of packets from AMS to PRG; a blow is dealt in the middle of the second."""

    def __init__(self, blow: Blow, count: int) -> None:
        super().__init__()
        self.blow, self.count = blow, count
        self.struck = self.ended = 0.0

    async def prepare(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Nothing has to listen."""

    async def measure(self, cell: Cell, endpoints: Mapping[str, Endpoint]) -> Reading:
        self.measured.append(cell.key)
        second = len(self.measured) == 2
        if second:
            await self.blow()
            self.struck = monotonic()
        try:
            argv = ["ping", "-n", "-q", "-c", str(self.count if second else 1), endpoints["PRG"].address]
            result = await endpoints["AMS"].run(argv, check=False)
        finally:
            self.ended = monotonic()
        if " 0% packet loss" not in result.stdout:
            raise MeasureError("ping", "lost a packet", result.stdout)
        return Reading({"value": 1.0}, result.stdout)


async def measured(
    lab: Emulation, overlay: Overlay, experiment: Pings, path: Path, on_fallback: str
) -> StoredRun:
    """A run of the experiment; afterwards every host is as it was before."""
    assert lab.topology is not None
    before = await inventory(list(lab.hosts.values()))
    with new_folder(path, topology=lab.topology.to_dict(), on_fallback=on_fallback) as folder:
        profile = experiment.profiles["quick"]
        await run_experiment(
            experiment,
            RunTarget(lab.topology, lab.hosts, IdleMachine()),
            {"fake": overlay},
            profile,
            folder,
        )
    assert await inventory(list(lab.hosts.values())) == before
    return read(folder.path)


def test_a_connection_that_drops_in_a_sample_is_caught_and_the_sample_is_repeated(
    loop: asyncio.Runner, lab: Emulation, tmp_path: Path
) -> None:
    # given a mesh of which one connection, not even on the way of the packets, fails in the second sample
    overlay = obtainable("weave:mode=sleeve")
    device = ["ip", "link", "set", "eth2"]

    async def cut() -> None:
        before, end = dict(await overlay.mode()), monotonic() + 60
        await lab.hosts["PRG"].run([*device, "down"])
        try:
            while dict(await overlay.mode()) == before:
                assert monotonic() < end, "the router did not notice"
                await asyncio.sleep(0.2)
        finally:
            await lab.hosts["PRG"].run([*device, "up"])

    experiment = Pings(cut, count=1)
    run = loop.run(measured(lab, overlay, experiment, tmp_path, "relaunch"))
    # then that sample is marked, the routers are relaunched, and it is measured again
    first, second, again, *rest = run.samples
    assert [s.verdict.state for s in (first, second, again, *rest)] == ["valid", "broken", *["valid"] * 4]
    assert second.ok
    assert second.mode["connections"] == "4 sleeve"
    assert "PRG→192.168.2.3 " in second.mode_after["connections"]
    assert (again.cell, again.repetition, again.attempt) == (second.cell, second.repetition, 2)
    assert any("its mode had changed in 1 samples" in line for line in captions.verdicts(run))
    assert run.manifest.complete
    # and what the routers wrote before they were relaunched is kept
    assert (run.path / "logs/fake/relaunch-1/PRG/weaver.log").stat().st_size
    assert (run.path / "logs/fake/PRG/weaver.log").stat().st_size


def test_a_password_is_in_no_command_line_no_log_and_no_result(
    loop: asyncio.Runner, lab: Emulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a password that can be searched for, and an eye on all command lines of the machine
    secret = "very-secret-word"
    monkeypatch.setenv("LAB_WEAVE_PASSWORD", secret)
    overlay, seen = obtainable("weave:mode=sleeve,encryption=on"), list[bytes]()

    async def look() -> None:
        while True:
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.append(file.read_bytes())
            await asyncio.sleep(0.02)

    async def search_hosts() -> None:
        for host in lab.hosts.values():
            search = ["grep", "-rlsF", "-f", "-", "/etc", "/run", "/var/log", "/var/lib/weave"]
            found = await host.run(search, stdin=secret.encode(), check=False)
            assert found.stdout == ""

    async def all_of_it() -> None:
        looking = asyncio.ensure_future(look())
        try:
            await measured(lab, overlay, Pings(search_hosts, count=1), tmp_path, "mark")
        finally:
            looking.cancel()

    # when an encrypted overlay is installed, measured on and taken off
    loop.run(all_of_it())
    # then routers were seen, and the password nowhere
    assert any(b"--ipalloc-init" in line for line in seen)
    assert not [line for line in seen if secret.encode() in line]
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]


@pytest.mark.parametrize(
    ("spec", "daemon"), [("weave:mode=sleeve", "weaver"), ("libnetwork:mode=kv", "etcd-libnetwork")]
)
def test_a_daemon_that_is_killed_ends_its_sample_and_leaves_nothing_behind(
    loop: asyncio.Runner, lab: Emulation, tmp_path: Path, spec: str, daemon: str
) -> None:
    # given a sample that would last half a minute
    overlay, killed = obtainable(spec), list[str]()

    async def kill() -> None:
        host = next(host for host in lab.hosts.values() if daemon in overlay.daemons(host))
        killed.append(host.name)
        await host.run(["sh"], stdin=f"kill -9 $(cat {overlay.pidfiles(host)[daemon]})".encode())

    experiment = Pings(kill, count=30)
    run = loop.run(measured(lab, overlay, experiment, tmp_path, "mark"))
    # then the daemon's death ends it within seconds, and is named; the sample before it is kept
    assert experiment.ended - experiment.struck < 5
    before, struck = run.samples
    assert before.verdict.state == "valid"
    assert (struck.outcome, struck.verdict.state) == ("failed", "broken")
    assert f"{daemon} on {killed[0]} no longer runs; the end of its log: " in str(struck.error)
    assert run.manifest.overlays["fake"].state == "failed"
    assert f"{daemon} on {killed[0]}" in run.manifest.overlays["fake"].reason
