"""What goes wrong while a lab is up: one sentence, samples kept, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.emulation.docker import containers
from lab.emulation.docker.daemon import DaemonPaths, ExistingPaths
from lab.emulation.emulation import Emulation
from lab.errors import HostError, HostTimeout
from lab.runs import run_folder
from lab.topology import Topology
from tests.integration.inventory import inventory
from tests.integration.test_emulate import SHORT_LINE, begin, lab, only_run, samples, wait_for_samples
from topologies import point_to_point


def of_image(image: str) -> Topology:
    """Two hosts of an image that is none for hosts."""
    graph = point_to_point.topology().graph.copy()
    for name in graph:
        graph.nodes[name]["image"] = image
    return Topology(graph, name="odd")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system on which a run folder begins and soon finds no room."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_docker_daemon_that_dies_costs_no_sample_and_leaves_nothing(
    docker_daemon: None, tmp_path: Path
) -> None:
    """Hosts go on without it; it is started again to take them away."""
    if ExistingPaths.read(DaemonPaths().record) is None:
        pytest.skip("the Docker daemon of this machine is not the lab's own, and so not a test's to kill")
    before = inventory()
    command = begin("emulate", *SHORT_LINE, "--results", str(tmp_path / "r"))
    wait_for_samples(tmp_path / "r", 1, command)
    os.kill(int(DaemonPaths().pidfile.read_text()), signal.SIGKILL)
    said, _ = command.communicate(timeout=120)
    assert command.returncode == 0, said
    assert "Traceback" not in said
    assert len(samples(only_run(tmp_path / "r"))) == 6
    assert inventory() == before


def test_a_full_disk_is_one_sentence_and_what_was_measured_can_be_read(
    docker_daemon: None, full_disk: Path
) -> None:
    before = inventory()
    done = lab("emulate", *SHORT_LINE, "--results", str(full_disk))
    assert done.returncode == 1, done.stdout
    assert "No space left on device" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    # the line that met the full disk may be torn: readers leave it out
    assert all(sample.ok for sample in run_folder.read(only_run(full_disk)).samples)
    assert inventory() == before


async def test_a_host_whose_docker_never_answers_is_named(
    nothing_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "PATIENCE", 1.0)
    with pytest.raises(HostTimeout, match=r"(AMS|BRA): its Docker daemon gave no answer in 1 s"):
        await Emulation(of_image("lab/gtsperf")).up()


async def test_an_image_that_is_not_there_is_named(nothing_left: None) -> None:
    with pytest.raises(HostError, match="no-such-image"):
        await Emulation(of_image("lab/no-such-image")).up()
