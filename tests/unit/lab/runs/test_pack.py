"""Packs: what is read back is what was packed; and what harms, or is not whole, is refused by its name."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_STORED, ZipFile, ZipInfo

import pytest

from lab.errors import FileError, PackError, RunError
from lab.runs import pack
from lab.runs.pack import METADATA, PROFILE
from tests.paths import FIXTURES
from tests.unit.synthetic import throughput_run

#: A run of the first version of the format, as it was packed then.
FIRST = FIXTURES / "packs" / "version-1.pack.zip"
PLACE = "runs/x"


def described(files: Any, version: str = "1", **more: Any) -> dict[str, Any]:
    """The least description of a pack."""
    root = {"@id": "./", "@type": "Dataset", "conformsTo": {"@id": f"{PROFILE}{version}"}}
    entities = [{"@id": name, "@type": "File", **facts, **more} for name, facts in files.items()]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [root, *entities]}


@pytest.fixture
def run(tmp_path: Path) -> dict[str, bytes]:
    """The files of a small run, by their names in a pack."""
    path = throughput_run(tmp_path / "run", 100).path
    names = ["manifest.json", "samples.jsonl", *(f"raw/{one.name}" for one in (path / "raw").iterdir())]
    found = {f"{PLACE}/{name}": (path / name).read_bytes() for name in sorted(names)}
    shutil.rmtree(tmp_path / "run")
    return found


@pytest.fixture
def good(tmp_path: Path, run: dict[str, bytes]) -> Path:
    pack.write(tmp_path / "good.zip", run.items(), described)
    return tmp_path / "good.zip"


def test_a_run_comes_back_as_it_was_and_its_files_go_at_the_end(good: Path, run: dict[str, bytes]) -> None:
    with pack.opened(good) as whole:
        assert [one.manifest.experiment for one in whole.runs] == ["throughput"]
        assert len(whole.runs[0].samples) == len(run) - 2
        assert whole.files == len(run)
        folder = whole.runs[0].path
        assert (folder / "manifest.json").read_bytes() == run[f"{PLACE}/manifest.json"]
    assert not folder.exists()


def test_the_same_members_give_the_same_bytes(good: Path, run: dict[str, bytes], tmp_path: Path) -> None:
    pack.write(tmp_path / "again.zip", run.items(), described)
    assert (tmp_path / "again.zip").read_bytes() == good.read_bytes()


def test_an_archive_that_is_there_is_not_overwritten(good: Path, run: dict[str, bytes]) -> None:
    before = good.read_bytes()
    with pytest.raises(FileError, match="--force overwrites"):
        pack.write(good, [], described)
    assert good.read_bytes() == before
    pack.write(good, list(run.items())[:2], described, force=True)
    assert good.read_bytes() != before
    assert [one.name for one in good.parent.iterdir()] == ["good.zip"]


def made(file: Path, run: dict[str, bytes], change: Callable[[ZipFile, dict[str, Any]], None]) -> Path:
    """Write an archive of this run by hand, with what `change` adds to it or to its description."""
    facts = {
        name: {"contentSize": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in run.items()
    }
    description = described(facts)
    with ZipFile(file, "w") as archive:
        for name, data in run.items():
            archive.writestr(name, data)
        change(archive, description)
        if METADATA not in archive.namelist():
            archive.writestr(METADATA, json.dumps(description))
    return file


def link(archive: ZipFile, name: str) -> None:
    info = ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def root(description: dict[str, Any], value: Any) -> None:
    description["@graph"][0]["conformsTo"] = value


def huge(archive: ZipFile, name: str) -> None:
    """A file of zeros with one byte more than a raw output has."""
    with archive.open(ZipInfo(name), "w") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
        file.write(b"0")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda archive, _: archive.writestr("../x", "y"), "'../x': its name leads out"),
        (lambda archive, _: archive.writestr("runs/x/../../y", "y"), "leads out"),
        (lambda archive, _: archive.writestr("/etc/x", "y"), "'/etc/x': its name leads out"),
        (lambda archive, _: archive.writestr("runs\\x", "y"), "leads out"),
        (lambda archive, _: archive.writestr("runs/x/./y", "y"), "has what no name"),
        (lambda archive, _: archive.writestr("runs/x/a b\x1b", "y"), "has what no name"),
        (lambda archive, _: archive.writestr("runs/x/" + "y" * 300, "y"), "has what no name"),
        (lambda archive, _: archive.writestr("runs/x/y/", ""), "has what no name"),
        (lambda archive, _: link(archive, f"{PLACE}/raw/link"), "raw/link': it is a link"),
        (lambda archive, _: huge(archive, f"{PLACE}/raw/huge"), "raw/huge': it has 67108865 bytes; 64 MiB"),
        (lambda archive, _: archive.writestr("runs/x/z", "y", ZIP_BZIP2), "compressed in another way"),
        (
            lambda archive, _: archive.writestr("runs/x/more", "y"),
            "runs/x/more is in it, and not in its desc",
        ),
        (lambda _, d: d["@graph"].pop(), "is in it, and not in its description"),
        (lambda _, d: d["@graph"][1].update(sha256="0" * 64), "is not what was packed: its checksum differs"),
        (lambda _, d: d["@graph"][1].update(contentSize="7"), "is not what was packed"),
        (lambda _, d: d["@graph"][1].update(contentSize=7), "contentSize: Input should be a valid string"),
        (lambda _, d: d["@graph"][1].update({"@id": "runs/x/none"}), "is in it, and not in its description"),
        (
            lambda _, d: d["@graph"].append(d["@graph"][1] | {"@id": "runs/x/none"}),
            "'runs/x/none' is in its de",
        ),
        (lambda _, d: root(d, {"@id": f"{PROFILE}2"}), "has version '2', this lab reads version 1"),
        (lambda _, d: root(d, "x"), "has no version of a pack"),
        (lambda _, d: d.update({"@graph": 1}), "no list of entities"),
        (lambda archive, _: archive.writestr(METADATA, "{"), "is no JSON"),
        (lambda archive, _: archive.writestr(METADATA, "[" * 200 + "]" * 200), "nested too deeply"),
        (lambda archive, _: archive.writestr(METADATA, b"\xff"), "is not UTF-8"),
    ],
)
def test_what_harms_or_is_not_as_described_is_refused_by_its_name(
    change: Callable[[ZipFile, dict[str, Any]], None], words: str, run: dict[str, bytes], tmp_path: Path
) -> None:
    file = made(tmp_path / "bad.zip", run, change)
    with pytest.raises(PackError) as caught, pack.opened(file):
        pass
    assert words in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["bad.zip"]


def test_a_name_that_is_there_twice_is_refused(run: dict[str, bytes], tmp_path: Path) -> None:
    def twice(archive: ZipFile, _: dict[str, Any]) -> None:
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(f"{PLACE}/manifest.json", "{}")

    with pytest.raises(PackError, match="there twice"), pack.opened(made(tmp_path / "bad.zip", run, twice)):
        pass


def test_a_pack_without_a_run_or_a_description_is_none(run: dict[str, bytes], tmp_path: Path) -> None:
    pack.write(tmp_path / "empty.zip", [], described)
    with pytest.raises(PackError, match="it has no run"), pack.opened(tmp_path / "empty.zip"):
        pass
    with ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("runs/x/manifest.json", "{}")
    with pytest.raises(PackError, match=f"it has no {METADATA}"), pack.opened(tmp_path / "bare.zip"):
        pass


def test_a_list_of_names_of_gigabytes_is_refused_before_it_is_read(good: Path, tmp_path: Path) -> None:
    data = bytearray(good.read_bytes())
    at = data.rfind(b"PK\x05\x06") + 12
    data[at : at + 4] = (3 << 30).to_bytes(4, "little")
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(PackError, match="the list of its files"), pack.opened(tmp_path / "bad.zip"):
        pass


@pytest.mark.parametrize("kept", [0, 100, 1000, -30, -1])
def test_a_pack_without_its_end_is_refused(kept: int, good: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(good.read_bytes()[:kept])
    with pytest.raises(PackError, match="no whole ZIP file"), pack.opened(tmp_path / "torn.zip"):
        pass


def test_a_changed_byte_is_found_wherever_it_is(run: dict[str, bytes], tmp_path: Path) -> None:
    """Packed without compression, a byte of a file can be changed; a ZIP's own checksum goes with it here."""
    file = made(tmp_path / "bad.zip", run, lambda *_: None)
    data = file.read_bytes()
    changed = data.replace(b'"shaper": "wire"', b'"shaper": "wirf"', 1)
    assert changed != data
    file.write_bytes(changed)
    with pytest.raises(PackError, match="Bad CRC-32"), pack.opened(file):
        pass
    # and by somebody who makes the ZIP file anew
    name = f"{PLACE}/manifest.json"
    other = {**run, name: run[name].replace(b'"shaper": "wire"', b'"shaper": "wirf"')}
    again = made(tmp_path / "again.zip", run, lambda *_: None)
    with ZipFile(again) as archive:
        description = archive.read(METADATA)
    with ZipFile(again, "w", ZIP_STORED) as archive:
        for one, text in {**other, METADATA: description}.items():
            archive.writestr(one, text)
    with pytest.raises(PackError, match=f"{name} is not what was packed"), pack.opened(again):
        pass


def test_runs_come_from_folders_and_from_packs(good: Path, tmp_path: Path) -> None:
    with pack.runs_in(good) as runs:
        assert len(runs) == 1
    with pytest.raises(RunError, match="is no run folder"), pack.runs_in(tmp_path):
        pass
    with pytest.raises(RunError, match="is no run folder"), pack.runs_in(tmp_path / "nothing"):
        pass
    with pytest.raises(PackError, match="it is no regular file"), pack.opened(Path("/dev/zero")):
        pass


def test_a_pack_of_the_first_version_can_be_read() -> None:
    """It was packed when the format was made, and is never made again: packs of others are as old."""
    with pack.opened(FIRST) as whole:
        run = whole.runs[0]
        assert (run.manifest.run, run.manifest.experiment) == ("7fc5f0", "multihop")
        assert len(whole.answers[run.manifest.run]) == 5
        assert len(run.samples) == 3
        assert not run.faults
