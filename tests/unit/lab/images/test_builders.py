"""The command that makes the root file system of an image."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError
from urllib3.exceptions import ProtocolError

from lab.errors import MachineError
from lab.images import HOST, apt, builders, derived
from lab.util import attached, paths


def test_the_root_file_system_has_the_packages_and_is_equipped_by_provision_sh() -> None:
    served = apt.Sources("bookworm", ("deb http://mirror.test/debian bookworm main",))
    argv = builders.mmdebstrap("host", ["tini", "docker.io"], served, Path("/scratch/root.tar"))
    assert "--include=tini,docker.io" in argv
    assert any("provision.sh host" in word for word in argv)
    assert argv[-3:] == ["bookworm", "/scratch/root.tar", served.lines[0]]


@pytest.mark.parametrize(
    "error",
    [
        ProtocolError("Connection broken: IncompleteRead(0 bytes read)"),
        requests.ConnectionError("refused"),
        APIError("no such thing"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_docker_that_ends_while_it_builds_is_a_sentence(error: Exception) -> None:
    """It was a traceback when the daemon was killed."""

    def build(**_: Any) -> None:
        raise error

    client: Any = SimpleNamespace(images=SimpleNamespace(build=build))
    with pytest.raises(MachineError, match=r"docker build of lab/host failed: .*; try again"):
        builders._build_with_docker(client, HOST, {})
    with pytest.raises(MachineError, match="lab/rehearsal cannot be built: "):
        derived._build(client, {})


@pytest.mark.parametrize("role", ["host", "gtsperf", "rehearsal"])
def test_every_step_of_a_build_by_docker_has_a_label_until_the_image_is_done(role: str) -> None:
    asked: dict[str, Any] = {}

    def build(**options: Any) -> None:
        asked.update(options, text=Path(options["dockerfile"]).read_text())

    client: Any = SimpleNamespace(images=SimpleNamespace(build=build))
    builders.docker_build(client, builders.SOURCES, f"{role}/Dockerfile", "tag", {"own": "1"}, {"SUITE": "x"})
    lines = asked["text"].splitlines()
    after_from = [lines[n + 1] for n, line in enumerate(lines) if line.startswith("FROM ")]
    assert after_from == [f'LABEL lab.build="{paths.STATE}"']
    assert asked["labels"] == {"own": "1", "lab.build": "done"}
    assert (asked["tag"], asked["buildargs"], asked["path"]) == ("tag", {"SUITE": "x"}, str(builders.SOURCES))


def test_what_makes_an_image_without_a_registry_ends_with_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kill -9, mmdebstrap went on beside the next build, in the same folder."""
    ran = list[list[str]]()

    def run(argv: list[str], **options: Any) -> Any:
        ran.append(argv)
        assert options["env"]["TMPDIR"] == "/scratch"
        return SimpleNamespace(returncode=0, stdout="said")

    monkeypatch.setattr(builders.subprocess, "run", run)
    assert builders._run(["mmdebstrap", "x"], "lab/host", TMPDIR="/scratch") == "said"
    assert ran == [attached.argv(["mmdebstrap", "x"])]
