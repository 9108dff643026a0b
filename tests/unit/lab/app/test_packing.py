"""Packing runs: all that is needed is in it, what is not for others is not, and a torn run is refused."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from experiments.common.claims import FILES
from lab import catalog
from lab.app import packing
from lab.errors import PackError
from lab.formats import lab_yaml
from lab.runs import pack
from lab.runs.run_folder import StoredRun
from tests.unit.synthetic import recorded_run, throughput_run


def packed(run: Path, file: Path) -> ZipFile:
    packing.write([run], file)
    return ZipFile(file)


def test_a_pack_has_what_one_must_know_and_nothing_of_the_users_machine(tmp_path: Path) -> None:
    run = recorded_run(tmp_path / "run")
    for private in ("hosts/a.log", "logs/x", "log", "reports/x"):
        (run / private).parent.mkdir(exist_ok=True)
        (run / private).write_text("secret")
    (run / "packages.txt").write_text("numpy==1\n")
    manifest = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(manifest.replace("/x/lab/", "/home/secret/lab/"))
    with packed(run, tmp_path / "x.zip") as archive:
        names = {name.removeprefix(f"runs/{run.name}/") for name in archive.namelist()}
        raws = {name for name in names if name.startswith("raw/")}
        assert len(raws) == 18
        assert names - raws == {
            *("manifest.json", "samples.jsonl", "packages.txt", "topology.yaml"),
            *("claims.json", "tables.json", "cells.csv", "ro-crate-metadata.json"),
            *(f"claims/{file.name}" for file in FILES),
        }
        (tmp_path / "topology.yaml").write_bytes(archive.read(f"runs/{run.name}/topology.yaml"))
        answers = json.loads(archive.read(f"runs/{run.name}/claims.json"))["answers"]
        tables = json.loads(archive.read(f"runs/{run.name}/tables.json"))
        assert yaml.safe_load(archive.read("claims/zismer.yaml"))["study"] == "Zismer 2016"
        assert b"secret" not in b"".join(archive.read(name) for name in archive.namelist())
    theirs, ours = catalog.topology(tmp_path / "topology.yaml"), catalog.topology("point_to_point")
    assert lab_yaml.write(theirs) == lab_yaml.write(ours)
    assert {"id", "text", "verdict", "evidence", "source"} == answers[0].keys()
    assert tables[0]["sections"]


def test_the_library_of_ro_crates_reads_a_pack_as_one(tmp_path: Path) -> None:
    from rocrate.rocrate import ROCrate

    runs = [throughput_run(tmp_path / "a", 100), throughput_run(tmp_path / "b", 50, run="0ther1")]
    paths = [run.path.rename(tmp_path / run.manifest.run) for run in runs]
    file = tmp_path / "x.zip"
    packing.write(paths, file, terms="https://creativecommons.org/licenses/by/4.0/")
    ZipFile(file).extractall(tmp_path / "whole")  # the library would unpack it beside, and leave that
    crate = ROCrate(tmp_path / "whole")
    assert crate.license == "https://creativecommons.org/licenses/by/4.0/"
    assert crate.datePublished.year == 2030
    files = [entity for entity in crate.data_entities if entity.type == "File"]
    assert len(files) == len(ZipFile(file).namelist()) - 1
    assert all(len(one["sha256"]) == 64 and one["description"] for one in files)
    made = crate.dereference("#run-0ther1")
    assert made["result"].id == "runs/0ther1/"
    assert made["instrument"]["name"] == "overlay-lab"
    assert {one.id for one in crate.root_dataset["mentions"]} == {"#run-5ynth1", "#run-0ther1"}


def test_a_pack_that_was_written_or_checked_leaves_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    (beside := tmp_path / "packs").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    run = recorded_run(tmp_path / "run")
    packing.write([run], beside / "x.zip")
    with pack.opened(beside / "x.zip") as whole:
        assert list(temporary.iterdir())  # it is unpacked here
        packing.verify(whole)
    assert not list(temporary.iterdir())
    assert [one.name for one in beside.iterdir()] == ["x.zip"]


def test_the_same_run_gives_the_same_bytes_at_another_place_and_time(tmp_path: Path) -> None:
    run = recorded_run(tmp_path / "run")
    first = packing.write([run], tmp_path / "a.zip")
    moved = tmp_path / "elsewhere" / run.name
    moved.parent.mkdir()
    run.rename(moved)
    for file in moved.rglob("*"):
        file.touch()
    again = packing.write([moved], tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert first.id == again.id


def test_a_run_that_is_not_as_it_was_written_is_not_packed(tmp_path: Path) -> None:
    run = recorded_run(tmp_path / "run")
    raw = next((run / "raw").iterdir())
    raw.write_text(raw.read_text() + " ")
    with pytest.raises(PackError, match="is not what was written"):
        packing.write([run], tmp_path / "x.zip")
    raw.unlink()
    raw.symlink_to("/etc/passwd")
    with pytest.raises(PackError, match="leads out of"):
        packing.write([run], tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_run_that_is_not_complete_is_packed_and_said(tmp_path: Path) -> None:
    run = recorded_run(tmp_path / "run")
    lines = (run / "samples.jsonl").read_text().splitlines(keepends=True)
    (run / "samples.jsonl").write_text("".join(lines[1:]))
    notes = packing.write([run], tmp_path / "x.zip").notes
    assert "1 of 3 cells of bring-up 1 lack samples" in notes[0]


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    run = throughput_run(tmp_path / "a", 100).path
    with pytest.raises(PackError, match="two run folders are named"):
        packing.write([run, run], tmp_path / "x.zip")


def verified(file: Path) -> packing.Verification:
    with pack.opened(file) as whole:
        return packing.verify(whole)


def test_a_whole_pack_has_no_faults(tmp_path: Path) -> None:
    packing.write([recorded_run(tmp_path / "run")], tmp_path / "x.zip")
    found = verified(tmp_path / "x.zip")
    assert (found.notes, found.faults) == ([], [])
    assert (
        "run 5ynth1 of throughput, 2030-01-02T03:04:05+00:00: 18 samples, 18 of them count"
        in found.contents[0]
    )


def repacked(file: Path, run: StoredRun, **others: bytes) -> Path:
    """Write the files of a run into a pack whose checksums are right, some of them changed."""

    def describe(files: object) -> dict[str, object]:
        assert isinstance(files, dict)
        root = {"@id": "./", "conformsTo": {"@id": "urn:overlay-lab:pack:1"}}
        return {"@graph": [root, *({"@id": n, "@type": "File", **f} for n, f in files.items())]}

    members = {str(p.relative_to(run.path)): p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    members = {name: data for name, data in members.items() if name != "lock"} | others
    pack.write(file, [(f"runs/x/{name}", data) for name, data in members.items()], describe)
    return file


def test_faults_of_a_run_whose_checksums_are_right_are_named(tmp_path: Path) -> None:
    run = throughput_run(tmp_path / "run", 100)
    lines = (run.path / "samples.jsonl").read_bytes().splitlines(keepends=True)
    found = verified(repacked(tmp_path / "x.zip", run, **{"samples.jsonl": b"".join(lines[1:])}))
    assert "lack samples" in found.faults[0]


def test_an_answer_that_is_another_one_here_is_told(tmp_path: Path) -> None:
    run = throughput_run(tmp_path / "run", 100)
    answer = {
        "id": "udp-half",
        "text": "merely half",
        "source": "x",
        "verdict": "reproduced",
        "evidence": "y",
    }
    old = {**answer, "id": "gone", "text": "a claim of before"}
    data = json.dumps({"answers": [answer, old]}).encode()
    found = verified(repacked(tmp_path / "x.zip", run, **{"claims.json": data}))
    assert found.notes == [
        "run 5ynth1: merely half: reproduced when it was packed, here not reproduced",
        "run 5ynth1: a claim of before: reproduced when it was packed, here no claim of this version",
    ]
    assert not found.faults


def test_a_run_of_an_experiment_that_is_not_installed_is_read_as_far_as_possible(tmp_path: Path) -> None:
    run = throughput_run(tmp_path / "run", 100)
    manifest = (run.path / "manifest.json").read_bytes().replace(b'"throughput"', b'"theirs"')
    found = verified(repacked(tmp_path / "x.zip", run, **{"manifest.json": manifest}))
    assert "its cells and claims are not checked: unknown experiment 'theirs'" in found.notes[0]
    assert not found.faults


def test_a_profile_that_lacks_what_its_experiment_measures_is_a_fault(tmp_path: Path) -> None:
    run = throughput_run(tmp_path / "run", 100)
    manifest = (run.path / "manifest.json").read_bytes().replace(b'"udp1470":', b'"udp":')
    found = verified(repacked(tmp_path / "x.zip", run, **{"manifest.json": manifest}))
    assert "its profile has nothing of the metric 'udp1470', which throughput measures" in found.faults[0]
