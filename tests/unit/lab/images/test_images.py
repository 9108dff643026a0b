"""What decides that an image is built again, and the scripts that equip it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab import images
from lab.images.builders import SOURCES


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the images' folder that a test may change."""
    return Path(shutil.copytree(SOURCES, tmp_path / "images"))


@pytest.mark.parametrize("changed", ["provision.sh", "host/entry", "host/docker-daemon", "host/Dockerfile"])
def test_a_changed_input_changes_the_hash_of_the_host(sources: Path, changed: str) -> None:
    before = images.inputs_hash(images.HOST, sources)
    with (sources / changed).open("a") as file:
        file.write("# more\n")
    assert images.inputs_hash(images.HOST, sources) != before


def test_a_change_of_the_host_does_not_rebuild_the_endpoint(sources: Path) -> None:
    before = images.inputs_hash(images.ENDPOINT, sources)
    (sources / "host" / "entry").write_text("other")
    assert images.inputs_hash(images.ENDPOINT, sources) == before


def test_a_new_file_and_a_renamed_file_change_the_hash(sources: Path) -> None:
    hashes = {images.inputs_hash(images.HOST, sources)}
    (sources / "host" / "more").write_text("x")
    hashes.add(images.inputs_hash(images.HOST, sources))
    (sources / "host" / "more").rename(sources / "host" / "most")
    hashes.add(images.inputs_hash(images.HOST, sources))
    assert len(hashes) == 3


@pytest.mark.parametrize("suite", ["bookworm", "trixie", "noble"])
@pytest.mark.parametrize(("role", "needs"), [("host", "docker.io"), ("gtsperf", "netperf")])
def test_provision_tells_its_packages(role: str, suite: str, needs: str) -> None:
    argv = ["sh", str(SOURCES / "provision.sh"), "--packages", role, suite]
    packages = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert needs in packages
    assert len(packages) == len(set(packages))
    assert ("docker-cli" in packages) == (role == "host" and suite == "trixie")


@pytest.mark.parametrize("words", [["lab"], ["--packages", "lab"], [], ["--other"]])
def test_provision_refuses_what_it_does_not_know(words: list[str]) -> None:
    argv = ["sh", str(SOURCES / "provision.sh"), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("provision: ")


@pytest.mark.parametrize("script", ["provision.sh", "host/entry", "host/docker-daemon"])
def test_scripts_are_plain_sh(script: str) -> None:
    path = SOURCES / script
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(path)], check=True)
