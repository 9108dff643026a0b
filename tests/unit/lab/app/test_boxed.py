"""Runs in the machine that counts: what is refused before it boots, what a boot leaves in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.app import boxed
from lab.app.request import RunRequest, plan_run
from lab.errors import LabError, MeasureError, RunError, UnknownName
from lab.events import silent
from lab.icount.kernel import DebianKernel
from lab.icount.machine import Guest
from lab.runs.run_folder import read
from lab.runs.run_folder_check import faults
from tests.paths import FIXTURES

CONSOLE = (FIXTURES / "packetcost.txt").read_text()


def asked(**more: Any) -> RunRequest:
    return RunRequest("packetcost", verb="packetcost", **more)


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What each boot prints, in order; nothing is compiled, fetched or booted."""
    printed = [CONSOLE] * 20

    async def guest(self: Any) -> Guest:
        return Guest("", [])

    async def ensure(package: Path | None) -> DebianKernel:
        return DebianKernel(tmp_path, "6.1.0", {"linux-image-x_1": "ab"})

    async def boot(*_: Any) -> str:
        console = printed.pop(0)
        if console == "panic":
            raise MeasureError("qemu", "the guest did not come to its end")
        return console

    async def versions(*_: Any) -> dict[str, str]:
        return {"qemu": "7.2"}

    monkeypatch.setattr("experiments.packetcost.experiment.PacketCost.guest", guest)
    monkeypatch.setattr(boxed.kernel, "ensure", ensure)
    monkeypatch.setattr(boxed.machine, "initramfs", lambda *_: b"archive")
    monkeypatch.setattr(boxed.machine, "boot", boot)
    monkeypatch.setattr(boxed.programs, "require", lambda: None)
    monkeypatch.setattr(boxed.programs, "versions", versions)
    return printed


async def run(request: RunRequest) -> tuple[int, Path]:
    return await boxed.count(request, boxed.plan(request), silent)


async def test_every_boot_is_a_repetition_of_every_cell(boots: list[str], tmp_path: Path) -> None:
    status, folder = await run(asked(results=tmp_path / "results"))
    stored = read(folder)
    assert status == 0
    assert len(stored.samples) == 2 * 32
    assert {sample.verdict.state for sample in stored.samples} == {"valid"}
    assert stored.manifest.complete
    assert stored.manifest.environment["kernel"] == "linux-image-x_1"
    assert stored.manifest.seed is None
    assert faults(stored, boxed.plan(asked()).experiment) == []
    assert (folder / "log/boot-2.txt").read_text() == CONSOLE


async def test_only_what_is_asked_for_is_stored(boots: list[str], tmp_path: Path) -> None:
    request = asked(results=tmp_path, overlays=("libnetwork",), only=("1470",), bring_ups=1)
    _, folder = await run(request)
    assert {sample.cell for sample in read(folder).samples} == {
        "libnetwork/udp/size=1470",
        "libnetwork/udp-openvswitch/size=1470",
    }


async def test_a_run_of_which_a_boot_failed_can_be_resumed(boots: list[str], tmp_path: Path) -> None:
    boots[1] = "panic"
    with pytest.raises(MeasureError, match="did not come to its end"):
        await run(asked(results=tmp_path))
    (folder,) = tmp_path.glob("packetcost-*")
    assert not read(folder).manifest.complete
    assert len(read(folder).samples) == 32

    status, again = await run(asked(resume=folder))
    assert (status, again) == (0, folder)
    assert len(read(folder).samples) == 64


async def test_a_cell_that_the_guest_did_not_print_is_a_failed_sample(
    boots: list[str], tmp_path: Path
) -> None:
    boots[:] = [CONSOLE.replace("underlay/udp/size=1372 both", "underlay/udp/size=1372 none")] * 2
    status, folder = await run(asked(results=tmp_path))
    failed = [sample for sample in read(folder).samples if not sample.ok]
    assert status == 1
    assert [sample.cell for sample in failed] == ["underlay/udp/size=1372"] * 2
    assert failed[0].error == "packet: the guest printed no figures of this cell"


def test_mistakes_are_found_before_the_machine_boots(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown path 'weave'"):
        boxed.plan(asked(overlays=("weave",)))
    with pytest.raises(UnknownName, match="unknown profile"):
        boxed.plan(asked(profile="long"))
    with pytest.raises(RunError, match="no cell of packetcost has 'ltp' in its key"):
        boxed.plan(asked(only=("ltp",)))
    with pytest.raises(LabError, match="throughput is measured on hosts; run 'lab run throughput'"):
        boxed.plan(RunRequest("throughput"))


def test_verbs_that_measure_on_hosts_name_the_other_verb() -> None:
    with pytest.raises(LabError, match="in its own machine and not on hosts; run 'lab packetcost'"):
        plan_run(RunRequest("packetcost"))
