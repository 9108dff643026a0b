"""What a machine lacks, and room for it."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HostError, MachineError
from lab.hosts.host import Result
from lab.testbed import provision, survey
from lab.testbed.reservation import FOLDER
from lab.testbed.survey import Survey
from tests.unit.lab.testbed.machines import ANSWERS


def test_what_a_machine_lacks_is_named() -> None:
    lacking = provision.missing_parts(Survey(ANSWERS))
    assert lacking[0].startswith("packages ca-certificates, ")
    assert survey.DAEMON_SCRIPT in lacking
    with pytest.raises(HostError, match="AMS: its disk is full: 4 MiB are free"):
        provision.require_room("AMS", Survey(ANSWERS))


class Machine:
    """A machine that writes down what it is to do; `fails` maps the first word of a command to its result."""

    name = "AMS"

    def __init__(self, **fails: tuple[int, str, str]) -> None:
        self.fails, self.ran, self.files = fails, list[list[str]](), dict[str, int]()

    async def run(self, argv: Sequence[str], **options: Any) -> Result:
        self.ran.append(list(argv))
        status, out, err = self.fails.get(argv[0].rsplit("/", 1)[-1].replace("-", "_"), (0, "", ""))
        assert not (status and options.get("check", True))
        return Result(tuple(argv), status, out, err, 0.0)

    async def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        assert data
        self.files[path] = mode


DOCKER = survey.DAEMON_SCRIPT.rsplit("/", 1)[-1].replace("-", "_")


async def test_a_machine_is_provisioned_by_the_script_that_builds_the_image() -> None:
    there = Machine()
    await provision.provision(there, Survey(ANSWERS))  # type: ignore[arg-type]
    folder = f"{FOLDER}/images"
    assert there.files == {
        f"{folder}/{name}": 0o755 for name in ("provision.sh", "host/docker-daemon", "host/entry")
    }
    assert there.ran == [
        ["sh", f"{folder}/provision.sh", "host"],
        ["rm", "-rf", folder],
        [survey.DAEMON_SCRIPT, "start"],
    ]


@pytest.mark.parametrize(
    ("out", "err", "words"),
    [("", "E: one\nE: two\n\n", "E: two"), ("on out\n", "", "on out"), ("", "", "it said nothing")],
)
async def test_a_script_that_fails_is_told_by_its_last_words_and_its_files_go(
    out: str, err: str, words: str
) -> None:
    there = Machine(sh=(1, out, err))
    with pytest.raises(
        HostError, match=f"AMS: ca-certificates, .* cannot be installed there: {words}; give it"
    ):
        await provision.provision(there, Survey(ANSWERS))  # type: ignore[arg-type]
    assert there.ran[-1] == ["rm", "-rf", f"{FOLDER}/images"]


async def test_a_docker_that_does_not_start_is_told() -> None:
    there = Machine(**{DOCKER: (1, "", "no disk\n")})
    with pytest.raises(HostError, match=r"AMS: its Docker does not start: no disk$"):
        await provision.provision(there, Survey(ANSWERS))  # type: ignore[arg-type]


class Complete(Survey):
    """A machine that lacks nothing but what a test says."""

    lacking: tuple[str, ...] = ()

    def missing_packages(self) -> list[str]:  # type: ignore[override]
        return list(self.lacking)


def complete(**answers: str) -> Complete:
    digest = hashlib.sha256((provision.SOURCES / "host/docker-daemon").read_bytes()).hexdigest()
    return Complete({**ANSWERS, "script": f"{digest}  /usr/local/lib/lab/docker-daemon\n", **answers})


def test_a_machine_that_has_all_lacks_nothing() -> None:
    assert provision.missing_parts(complete()) == []
    assert provision.missing_parts(complete(docker="")) == ["a Docker daemon that runs"]
    assert provision.missing_parts(complete(script="0123  x\n")) == [survey.DAEMON_SCRIPT]


@pytest.mark.parametrize(
    ("lacking", "free", "enough"),
    [((), 16, True), ((), 15, False), (("x",), 1500, True), (("x",), 1499, False)],
)
def test_room_is_needed_for_what_is_lacking(
    lacking: tuple[str, ...], free: int, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Complete, "lacking", lacking)
    found = complete(disk=f"Filesystem 1024-blocks Used Available\n/dev/vda 9 9 {free * 1024} 1% /\n")
    if enough:
        provision.require_room("AMS", found)
        return
    with pytest.raises(
        HostError, match=f"AMS: its disk is full: {free} MiB are free .* and {1500 if lacking else 16} are"
    ):
        provision.require_room("AMS", found)


@pytest.mark.parametrize(
    ("there", "wanted", "lacks"),
    [
        ("sha256:a", "sha256:a", False),
        ("sha256:a", "sha256:b", True),
        ("sha256:a", "", False),
        ("", "", True),
    ],
)
def test_another_image_than_this_machines_is_none(there: str, wanted: str, lacks: bool) -> None:
    assert provision.lacks_image(complete(image=f"{there}\n"), wanted) is lacks


def docker(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")


def test_the_image_is_packed_and_goes_when_it_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = f'"save {provision.ENDPOINT.tag}") echo layers;;'
    docker(tmp_path, f'case "$*" in {saved} "image inspect "*) echo sha256:x;; esac', monkeypatch)
    with provision.packed_image() as packed:
        assert gzip.decompress(packed.read_bytes()) == b"layers\n"
    assert not packed.parent.exists()


def test_an_image_that_is_not_there_or_cannot_be_packed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, '[ "$1" = image ] && echo sha256:x || exit 1', monkeypatch)
    with (
        pytest.raises(MachineError, match=r"cannot be packed into .*; is the disk full"),
        provision.packed_image(),
    ):
        pass
    monkeypatch.setenv("PATH", "/nowhere")
    assert provision.endpoint_id() == ""
    with pytest.raises(MachineError, match="this machine has none to send"), provision.packed_image():
        pass


async def test_a_script_that_ends_with_empty_lines_is_told_by_its_last_line_with_words() -> None:
    there = Machine(sh=(1, "on out\n", "E: one\n  \n \n x\n\t\n."[:-1]))
    with pytest.raises(HostError, match="there:  x; give it"):
        await provision.provision(there, Survey(ANSWERS))  # type: ignore[arg-type]


def test_a_machine_whose_docker_has_no_endpoint_image_has_no_id_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, "echo; exit 1", monkeypatch)
    assert provision.endpoint_id() == ""
