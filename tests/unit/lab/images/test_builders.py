"""Images: what decides that one is built again, which apt sources serve, and the commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab import images
from lab.errors import MachineError
from lab.images import apt, builders

TARGETS = """\
http://mirror.test/debian/ bookworm main Debian
http://mirror.test/debian/ bookworm-updates main Debian
http://mirror.test/debian-security/ bookworm-security main Debian
http://mirror.test/debian/ bookworm contrib Debian
http://mirror.test/debian/ bookworm-backports-sloppy contrib Debian
http://other.test/apt stable main Somebody
http://other.test/apt bookworm main Somebody
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the images' folder that a test may change."""
    return Path(shutil.copytree(images.SOURCES, tmp_path / "images"))


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


def test_the_machines_own_repositories_serve_with_their_updates() -> None:
    lines = apt.source_lines(TARGETS, "debian", "bookworm", "bookworm")
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.test/debian-security/ bookworm-security main non-free",
        "http://mirror.test/debian/ bookworm main non-free",
        "http://mirror.test/debian/ bookworm-updates main non-free",
    ]


def test_a_repository_of_somebody_else_is_never_used() -> None:
    assert not any(
        "other.test" in line for line in apt.source_lines(TARGETS, "debian", "bookworm", "bookworm")
    )


def test_another_suite_of_the_same_mirror_keeps_its_pockets() -> None:
    lines = apt.source_lines(TARGETS.replace("bookworm", "trixie"), "debian", "trixie", "bookworm")
    assert {line.split()[3] for line in lines} == {"bookworm", "bookworm-updates", "bookworm-security"}


def test_the_machine_is_known_by_its_os_release(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('NAME="Ubuntu"\nID=ubuntu\nVERSION_CODENAME=noble\n')
    assert apt.machine(file) == ("ubuntu", "noble")


@pytest.mark.parametrize(
    ("system", "targets", "words"),
    [(("arch", ""), "", "apt sources of arch"), (("debian", "sid"), TARGETS, "no repository of debian sid")],
)
def test_a_machine_without_usable_sources_is_told_so(
    monkeypatch: pytest.MonkeyPatch, system: tuple[str, str], targets: str, words: str
) -> None:
    monkeypatch.setattr(apt, "machine", lambda: system)
    monkeypatch.setattr(apt, "_targets", lambda: targets)
    with pytest.raises(MachineError, match=words):
        apt.sources()


def test_an_unservable_suite_falls_back_to_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "machine", lambda: ("debian", "trixie"))
    monkeypatch.setattr(apt, "_targets", lambda: TARGETS.replace("bookworm", "trixie"))
    monkeypatch.setattr(apt, "_serves", lambda wanted: False)
    assert apt.sources().suite == "trixie"
    monkeypatch.setattr(apt, "_serves", lambda wanted: True)
    assert apt.sources().suite == "bookworm"


def test_the_root_file_system_has_the_packages_and_is_equipped_by_provision_sh() -> None:
    served = apt.Sources("bookworm", ("deb http://mirror.test/debian bookworm main",))
    argv = builders.mmdebstrap(
        "host", ["tini", "docker.io"], served, images.SOURCES, Path("/scratch/root.tar")
    )
    assert "--include=tini,docker.io" in argv
    assert any("provision.sh host" in word for word in argv)
    assert argv[-3:] == ["bookworm", "/scratch/root.tar", served.lines[0]]


@pytest.mark.parametrize("suite", ["bookworm", "trixie", "noble"])
@pytest.mark.parametrize(("role", "needs"), [("host", "docker.io"), ("gtsperf", "netperf")])
def test_provision_tells_its_packages(role: str, suite: str, needs: str) -> None:
    argv = ["sh", str(images.SOURCES / "provision.sh"), "--packages", role, suite]
    packages = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert needs in packages
    assert len(packages) == len(set(packages))
    assert ("docker-cli" in packages) == (role == "host" and suite == "trixie")


@pytest.mark.parametrize("words", [["lab"], ["--packages", "lab"], [], ["--other"]])
def test_provision_refuses_what_it_does_not_know(words: list[str]) -> None:
    argv = ["sh", str(images.SOURCES / "provision.sh"), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("provision: ")


@pytest.mark.parametrize("script", ["provision.sh", "host/entry", "host/docker-daemon"])
def test_scripts_are_plain_sh(script: str) -> None:
    path = images.SOURCES / script
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(path)], check=True)
