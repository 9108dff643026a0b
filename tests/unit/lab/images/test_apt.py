"""Which apt sources serve, for images that are made without a registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.images import apt

TARGETS = """\
http://mirror.test/debian/ bookworm main Debian
http://mirror.test/debian/ bookworm-updates main Debian
http://mirror.test/debian-security/ bookworm-security main Debian
http://mirror.test/debian/ bookworm contrib Debian
http://mirror.test/debian/ bookworm-backports-sloppy contrib Debian
http://other.test/apt stable main Somebody
http://other.test/apt bookworm main Somebody
"""


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
