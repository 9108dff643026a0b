"""Building the kernel, without building one: what it needs, what it says, and how it ends."""

from __future__ import annotations

import os
import platform
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.errors import MachineError
from lab.events import Event, Note
from lab.virtual.kernel import builder
from lab.virtual.kernel.builder import CompileProgress


class Usage(NamedTuple):
    free: int


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has all that a build needs."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**11))


def test_a_machine_that_has_everything_can_build(ready: None, tmp_path: Path) -> None:
    builder.check(tmp_path / "kernels" / "not made yet")


def test_all_packages_that_lack_are_named_at_once(
    ready: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("flex", "xz", "bc") else name)
    with pytest.raises(MachineError, match=r"apt-get install flex bc xz-utils$"):
        builder.check(tmp_path)


def test_a_full_disk_is_refused_before_anything_is_fetched(
    ready: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9))
    with pytest.raises(MachineError, match=r"needs 3 GB .* 1\.0 GB are free"):
        builder.check(tmp_path)


def test_another_processor_is_refused(ready: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(MachineError, match="x86-64 processor, and this one is aarch64"):
        builder.check(tmp_path)


def test_progress_says_a_share_at_each_tenth_of_the_files_and_never_all_of_them() -> None:
    said: list[Event] = []
    progress = CompileProgress(said.append, objects=20)
    for _ in range(40):
        progress.line("  CC      kernel/fork.o\n")
        progress.line("  AR      kernel/built-in.a\n")
    words = [event.text for event in said if isinstance(event, Note)]
    assert len(words) == 9
    assert "10% compiled, about 0 min left" in words[0]
    assert "90% compiled" in words[-1]


def test_options_that_the_source_did_not_take_are_found() -> None:
    asked = "# for hosts\nCONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n"
    assert builder.unset(asked, "CONFIG_A=y\n# CONFIG_B is not set\n") == ["B"]


def test_essential_options_are_in_our_configuration() -> None:
    ours = builder.unset(builder.CONFIGURATION.read_text(), "")
    assert set(builder.ESSENTIAL) <= set(ours)
    assert len(ours) == len(set(ours))


def makefile(folder: Path, recipe: str) -> Path:
    folder.mkdir()
    (folder / "Makefile").write_text(f"vmlinux:\n\t{recipe}\n")
    return folder


def test_a_failed_build_says_what_the_compiler_said(tmp_path: Path) -> None:
    tree = makefile(tmp_path / "tree", "@echo 'a.c:7: error: no such thing'; false")
    with (tmp_path / "log").open("w") as log, pytest.raises(MachineError, match=r"a\.c:7: error: no such"):
        builder._make(tree, ["vmlinux"], log)
    assert "no such thing" in (tmp_path / "log").read_text()


def test_make_sees_nothing_of_the_users_and_no_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KCFLAGS", "-O0")
    tree = makefile(tmp_path / "tree", "@env")
    with (tmp_path / "log").open("w") as log:
        builder._make(tree, ["vmlinux"], log)
    printed = (tmp_path / "log").read_text().splitlines()
    assert "KBUILD_BUILD_TIMESTAMP=@0" in printed
    assert not [line for line in printed if line.startswith("KCFLAGS")]


def test_an_interrupted_build_ends_all_that_it_started(tmp_path: Path) -> None:
    tree = makefile(tmp_path / "tree", "@echo '  CC      a.o'; echo $$$$ > pid; exec sleep 300")

    class Interrupt(CompileProgress):
        def line(self, printed: str) -> None:
            deadline = time.monotonic() + 20
            while not ((tree / "pid").exists() and (tree / "pid").read_text().strip()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            raise KeyboardInterrupt

    with (tmp_path / "log").open("w") as log, pytest.raises(KeyboardInterrupt):
        builder._make(tree, ["vmlinux"], log, Interrupt(lambda event: None))
    pid, deadline = int((tree / "pid").read_text()), time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline, "the compiler went on"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """A process that runs; one that has ended and is not yet waited for does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
