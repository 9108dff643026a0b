"""The command that makes the root file system of an image."""

from __future__ import annotations

from pathlib import Path

from lab.images import apt, builders


def test_the_root_file_system_has_the_packages_and_is_equipped_by_provision_sh() -> None:
    served = apt.Sources("bookworm", ("deb http://mirror.test/debian bookworm main",))
    argv = builders.mmdebstrap("host", ["tini", "docker.io"], served, Path("/scratch/root.tar"))
    assert "--include=tini,docker.io" in argv
    assert any("provision.sh host" in word for word in argv)
    assert argv[-3:] == ["bookworm", "/scratch/root.tar", served.lines[0]]
