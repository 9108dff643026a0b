"""The kernel of virtual time: what decides which one it is, and how it is found, kept and removed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.events import Emit, StepDone, silent
from lab.util import locks
from lab.virtual import kernel
from lab.virtual.kernel import builder, source
from lab.virtual.kernel.edits import ADDITIONS
from lab.virtual.kernel.source import PINNED, Source

GCC = "gcc (Debian 12.2.0-14) 12.2.0"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Locks in a folder of the test's, and one compiler."""
    monkeypatch.setattr(locks, "STATE", tmp_path / "state")
    monkeypatch.setattr(builder, "compiler", lambda: GCC)
    monkeypatch.delenv(source.VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kernels"


def built(chosen: Source, path: Path, scratch: Path, emit: Emit) -> Path:
    """Stands for the build: a program and its release."""
    made = scratch / "made"
    made.mkdir()
    (made / "linux").write_text("#!/bin/sh\n")
    (made / "linux").chmod(0o755)
    (made / "release").write_text("7.2.12\n")
    return made


def first(sources: tuple[Source, ...], scratch: Path, emit: Emit) -> tuple[Source, Path]:
    return sources[0], scratch / "package.deb"


@pytest.fixture
def buildable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "check", lambda folder: None)
    monkeypatch.setattr(builder, "build", built)
    monkeypatch.setattr(source, "obtain_first", first)


def test_every_input_makes_another_kernel(tmp_path: Path) -> None:
    additions = tmp_path / "additions"
    shutil.copytree(ADDITIONS, additions)
    pinned = PINNED[0]
    seen = {kernel.identity(pinned, GCC, additions)}
    assert seen == {kernel.identity(pinned, GCC)}
    for changed in ({"package": "p"}, {"version": "v"}, {"sha256": "0" * 64}):
        seen.add(kernel.identity(replace(pinned, **changed), GCC, additions))
    seen.add(kernel.identity(pinned, "gcc 14", additions))
    for name in ("configuration", "edits.toml", "files/arch/um/kernel/lab_time.c"):
        file = additions / name
        file.write_text(file.read_text() + "\n")
        seen.add(kernel.identity(pinned, GCC, additions))
    (additions / "files" / "new.c").write_text("")
    seen.add(kernel.identity(pinned, GCC, additions))
    assert len(seen) == 9


def test_a_readme_or_what_python_leaves_makes_no_other_kernel(tmp_path: Path) -> None:
    additions = tmp_path / "additions"
    shutil.copytree(ADDITIONS, additions)
    (additions / "README.md").write_text("other words")
    (additions / "files" / "left.pyc").write_text("")
    assert kernel.identity(PINNED[0], GCC, additions) == kernel.identity(PINNED[0], GCC)


def test_the_kernel_is_built_once_and_then_found(buildable: None, folder: Path) -> None:
    assert kernel.find(folder) is None
    events: list[object] = []
    made = kernel.ensure(events.append, folder)
    assert made.program.parent == folder / kernel.identity(PINNED[0], GCC)
    assert (made.version, made.source) == (PINNED[0].version, str(PINNED[0]))
    assert made.identity == made.program.parent.name
    assert made.size == len("#!/bin/sh\n")
    assert [event.step for event in events if isinstance(event, StepDone)] == ["kernel of virtual time"]
    assert not (folder / "partial").exists()
    events.clear()
    assert kernel.ensure(events.append, folder) == made
    assert not events


def test_a_kernel_of_a_later_pinned_version_is_found_too(
    buildable: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "obtain_first", lambda all_, scratch, emit: (all_[-1], scratch))
    made = kernel.ensure(silent, folder)
    assert made.version == PINNED[-1].version
    assert kernel.find(folder) == made


def test_another_compiler_builds_anew(buildable: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.ensure(silent, folder)
    monkeypatch.setattr(builder, "compiler", lambda: "gcc 14")
    assert kernel.find(folder) is None


def test_what_an_interrupted_build_left_goes_with_the_next(buildable: None, folder: Path) -> None:
    (folder / "partial" / "tree").mkdir(parents=True)
    kernel.ensure(silent, folder)
    assert [path.name for path in folder.iterdir()] == [kernel.identity(PINNED[0], GCC)]


def test_a_failed_build_leaves_nothing(
    buildable: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Path:
        raise MachineError("no")

    monkeypatch.setattr(builder, "build", fail)
    with pytest.raises(MachineError):
        kernel.ensure(silent, folder)
    assert not list(folder.iterdir())


def test_what_lacks_is_said_before_a_build_is_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "lacking", lambda: ["flex"])
    with pytest.raises(MachineError, match=r"flex|x86-64"):
        kernel.ensure(silent, folder)
    assert not folder.exists()


def test_all_kernels_are_removed_and_named(buildable: None, folder: Path) -> None:
    kernel.ensure(silent, folder)
    former = folder / "0123456789abcdef"
    former.mkdir()
    (former / "kernel.json").write_text(json.dumps({"source": "linux-source-6.0 6.0.1-1 (old)"}))
    assert sorted(kernel.remove(silent, folder)) == ["linux-source-6.0 6.0.1-1 (old)", str(PINNED[0])]
    assert not folder.exists()
    assert kernel.remove(silent, folder) == []


@pytest.mark.parametrize(
    ("release", "flags", "preloaded"),
    [
        ("7.2.12", "fpu amx_tile", False),
        ("6.13.0", "fpu amx_tile", False),
        ("6.12.117", "fpu amx_tile", True),
        ("6.12.117", "fpu", False),
    ],
)
def test_only_older_kernels_need_a_library_and_only_on_processors_with_amx(
    tmp_path: Path, release: str, flags: str, preloaded: bool
) -> None:
    processors = tmp_path / "cpuinfo"
    processors.write_text(f"flags\t: {flags}\n")
    needed = kernel.environment(release, tmp_path / "xstate.so", processors)
    assert needed == ({"LD_PRELOAD": f"{tmp_path}/xstate.so"} if preloaded else {})
