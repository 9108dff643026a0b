"""The kernel's source: pinned, checked, or the user's own; nothing here asks a mirror."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.events import Note, silent
from lab.images import apt
from lab.virtual.kernel import source
from lab.virtual.kernel.source import PINNED, Source

DATA = b"a package"
WANTED = Source("linux-source-9", "9.1-1", hashlib.sha256(DATA).hexdigest(), "somewhere")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Debian with a mirror and a keyring."""
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(source, "KEYRING", keyring)
    monkeypatch.setattr(apt, "mirror", lambda: "http://mirror.test/debian")
    monkeypatch.delenv(source.VARIABLE, raising=False)
    monkeypatch.delenv(source.MIRROR, raising=False)


class Apt:
    """apt-get, in memory: leaves a package where it is told to download."""

    def __init__(self, folder: Path, data: bytes = DATA, fails: str = "") -> None:
        self.folder, self.data, self.fails = folder, data, fails
        self.ran: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.ran.append(argv)
        if self.fails and self.fails in argv:
            return subprocess.CompletedProcess(argv, 100, "", "E: Version '9.1-1' was not found\n")
        if "download" in argv:
            (self.folder / "linux-source-9_9.1-1_all.deb").write_bytes(self.data)
        return subprocess.CompletedProcess(argv, 0, "", "")


def test_each_pinned_version_has_a_suite_and_a_whole_hash() -> None:
    assert len({pinned.version for pinned in PINNED}) == len(PINNED) >= 2
    for pinned in PINNED:
        assert pinned.suite
        assert pinned.file is None
        assert re.fullmatch("[0-9a-f]{64}", pinned.sha256)
        assert pinned.version.startswith(pinned.package.removeprefix("linux-source-"))


def test_apt_works_with_lists_and_caches_of_its_own(tmp_path: Path) -> None:
    fake = Apt(tmp_path)
    path = source.obtain(WANTED, tmp_path, fake)
    assert path.read_bytes() == DATA
    line = (tmp_path / "apt" / "sources.list").read_text()
    assert line == f"deb [signed-by={source.KEYRING}] http://mirror.test/debian somewhere main\n"
    update, download = fake.ran
    assert update[-1] == "update"
    assert download[-2:] == ["download", "linux-source-9=9.1-1"]
    for option in ("Dir::State", "Dir::State::lists", "Dir::Cache", "Dir::Etc::sourcelist"):
        assert any(word.startswith(f"{option}={tmp_path}") for word in update), option
    assert "Dir::Etc::sourceparts=-" in update


def test_a_package_with_another_hash_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"linux-source-9 9.1-1 \(somewhere\) has the SHA-256 .* not"):
        source.obtain(WANTED, tmp_path, Apt(tmp_path, b"another package"))


def test_a_version_that_is_gone_is_named_with_what_apt_said(tmp_path: Path) -> None:
    with pytest.raises(
        MachineError, match=r"download linux-source-9=9.1-1: E: Version '9.1-1' was not found"
    ):
        source.obtain(WANTED, tmp_path, Apt(tmp_path, fails="download"))


def test_the_next_version_is_tried_and_if_none_is_left_all_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Source("linux-source-9", "9.0-1", WANTED.sha256, "older")
    said: list[object] = []
    monkeypatch.setattr(source, "_run", Apt(tmp_path, fails="linux-source-9=9.1-1"))
    chosen, path = source.obtain_first([WANTED, second], tmp_path, said.append)
    assert (chosen, path.read_bytes()) == (second, DATA)
    assert next(note.text for note in said if isinstance(note, Note)).startswith(
        "linux-source-9 9.1-1 (somewhere) is not available"
    )
    monkeypatch.setattr(source, "_run", Apt(tmp_path, fails="update"))
    with pytest.raises(MachineError, match=r"9.1-1 .*9.0-1 .*name the file in LAB_LINUX_SOURCE"):
        source.obtain_first([WANTED, second], tmp_path, silent)


def test_without_a_keyring_or_a_mirror_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "mirror", lambda: None)
    with pytest.raises(MachineError, match="LAB_DEBIAN_MIRROR"):
        source.obtain(WANTED, tmp_path, Apt(tmp_path))
    monkeypatch.setenv(source.MIRROR, "http://other.test/debian")
    source.obtain(WANTED, tmp_path, Apt(tmp_path))
    assert "http://other.test/debian" in (tmp_path / "apt" / "sources.list").read_text()
    monkeypatch.setattr(source, "KEYRING", tmp_path / "none")
    with pytest.raises(MachineError, match="apt-get install debian-archive-keyring"):
        source.obtain(WANTED, tmp_path, Apt(tmp_path))


def test_a_file_that_the_user_names_is_the_only_source_and_known_by_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.wanted() == PINNED
    file = tmp_path / "linux-7.9.tar"
    file.write_bytes(DATA)
    monkeypatch.setenv(source.VARIABLE, str(file))
    (mine,) = source.wanted()
    assert (mine.file, mine.sha256, mine.version) == (file, WANTED.sha256, WANTED.sha256[:16])
    assert source.obtain(mine, tmp_path / "unused") == file
    file.write_bytes(b"changed since")
    assert source.wanted()[0].sha256 != mine.sha256
    monkeypatch.setenv(source.VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(MachineError, match="which is no file"):
        source.wanted()


def packed(folder: Path, *names: str) -> Path:
    """An archive of empty files below one folder, as Debian's and kernel.org's are."""
    (folder / "scratch").mkdir()
    with tarfile.open(folder / "linux.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"linux-9/{name}"))
    return folder / "linux.tar"


def test_an_archive_is_unpacked_without_what_is_never_compiled(tmp_path: Path) -> None:
    names = ("arch/um/Kconfig", "arch/um/a.c", "sound/a/b.c", "sound/a/b.h", "sound/Kconfig")
    tree = source.unpack(packed(tmp_path, *names), tmp_path / "scratch", ["sound"])
    there = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert there == {"arch/um/Kconfig", "arch/um/a.c", "sound/Kconfig"}


def test_something_else_than_linux_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no source of Linux"):
        source.unpack(packed(tmp_path, "README"), tmp_path / "scratch")


def test_a_damaged_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.deb").write_bytes(b"no package")
    with pytest.raises(MachineError, match=r"bad\.deb cannot be unpacked"):
        source.unpack(tmp_path / "bad.deb", tmp_path)
