"""`lab pack`, `verify` and `reproduce`, as typed; and packs in the place of run folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.paths import FIXTURES
from tests.unit.command_line import Lab
from tests.unit.synthetic import carrying, recorded_run, throughput_run


@pytest.fixture
def file(tmp_path: Path, lab: Lab) -> Path:
    """A pack of a whole run, beside its folder."""
    run = recorded_run(tmp_path)
    status, out, err = lab("pack", run)
    assert (status, err) == (0, "")
    assert out.strip() == f"{run}.pack.zip"
    return Path(out.strip())


def test_a_pack_is_made_once_and_is_whole(file: Path, lab: Lab) -> None:
    status, _, err = lab("pack", str(file).removesuffix(".pack.zip"))
    assert status == 1
    assert "exists; --force overwrites" in err
    status, out, err = lab("verify", file)
    assert (status, err) == (0, "")
    assert ", version 1, " in out
    assert "run 5ynth1 of throughput" in out


def test_a_changed_pack_is_one_sentence_and_status_1(file: Path, lab: Lab) -> None:
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)
    for verb in ("verify", "report", "results", "reproduce"):
        status, out, err = lab(verb, file)
        assert (status, out) == (1, "")
        assert err.startswith(f"lab: {file} is no pack: ")


def test_packs_and_folders_open_together(
    file: Path, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = throughput_run(tmp_path / "b", 50, run="0ther1", environment={"kernel": "7.0"})
    page = tmp_path / "page.html"
    status, out, _ = lab("report", file, other.path, "-o", page)
    assert (status, out) == (0, f"{page}\n")
    assert "Comparison of runs" in page.read_text()
    assert "7.0" in page.read_text()
    assert lab("report", "--claims", file)[1].startswith("claims: ")
    monkeypatch.chdir(tmp_path)
    assert lab("results", file)[:2] == lab("results", str(file).removesuffix(".pack.zip"))[:2]
    status, out, _ = lab("results", file, "--csv")
    assert out.strip() == f"{file.name.removesuffix('.pack.zip')}.csv"
    assert len((tmp_path / out.strip()).read_text().splitlines()) == 19


def test_several_runs_of_a_pack_are_not_written_into_one_file(lab: Lab, tmp_path: Path) -> None:
    runs = [throughput_run(tmp_path / "a", 100), throughput_run(tmp_path / "b", 50, run="0ther1")]
    file = tmp_path / "both.zip"
    assert lab("pack", *(run.path for run in runs), "-o", file)[0] == 0
    status, _, err = lab("results", file, "--csv", "-o", tmp_path / "x.csv")
    assert status == 2
    assert "has 2 runs" in err
    status, _, err = lab("reproduce", file)
    assert status == 2
    assert "0ther1 (throughput)" in err
    assert "5ynth1 (throughput)" in err


@pytest.mark.parametrize(("share", "spread", "expected"), [(0.5, 0.5, 0), (0.9, 0.5, 1), (0.5, 60, 3)])
def test_two_runs_are_compared_without_measuring(
    share: float,
    spread: float,
    expected: int,
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "theirs.zip"
    lab("pack", carrying(tmp_path / "a", 0.5, run="theirs").path, "-o", file)
    ours = carrying(tmp_path / "b", share, spread, environment={"kernel": "7.0"})
    if expected:  # one page is enough: to draw figures takes seconds
        monkeypatch.setattr("lab.cli.report.write_page", lambda runs, page: None)
    status, out, _ = lab("reproduce", file, "--against", ours.path)
    assert status == expected
    assert "run theirs" in out
    assert re.search(r"^kernel +6.1 +7.0$", out, re.MULTILINE)
    assert re.search(
        r"^weave/udp1470/\S+ +\S+ ± \S+ \[.*\] +\S+ ± \S+ \[.*\] +\S+ \[.*\]$", out, re.MULTILINE
    )
    assert "another answer: The UDP throughput of the overlays is merely half" in out or expected != 1
    assert expected or "Comparison of runs" in (ours.path / "reproduction.html").read_text()


def test_a_run_that_others_made_needs_root_to_be_measured_again(
    file: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    status, _, err = lab("reproduce", file)
    assert status == 1
    assert "reproduce needs root: sudo" in err


def test_a_pack_of_the_first_version_opens_beside_one_of_today(file: Path, lab: Lab) -> None:
    first = FIXTURES / "packs" / "version-1.pack.zip"
    assert lab("verify", first)[0] == 0
    status, out, _ = lab("results", first)
    assert status == 0
    assert "18.57 ± 0.42" in out
    out = lab("report", "--claims", first, file)[1]
    assert "7fc5f0" in out
    assert "5ynth1" in out
