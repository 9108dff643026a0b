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
