"""Figures of a run on its page: those that are there, and new ones only while no sample is measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.feed.named import RunSource
from lab.feed.objects import Plain, adapter
from lab.view import figures
from lab.view.figures import FigureSource
from tests.unit.synthetic import throughput_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSource:
    monkeypatch.setattr(figures, "IDLE", 0.0)
    monkeypatch.setattr(figures, "NICE", "0")
    return RunSource(throughput_run(tmp_path, 40.0).path)


def until(source: FigureSource) -> Sequence[Plain]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := source.look():
            return found
        time.sleep(0.1)
    raise AssertionError("no figure came")


def test_figures_are_drawn_and_told_once(run: RunSource) -> None:
    source = FigureSource(lambda: run)
    found = until(source)
    assert {one["kind"] for one in found} == {"figure"}
    assert all("<svg" in adapter().validate_python(one)["svg"] for one in found)  # type: ignore[typeddict-item]
    assert source.look() == []
    source.close()
    assert not (run.folder / figures.FIGURES).exists(), "nothing is written into the run's folder"


def test_nothing_is_drawn_while_a_sample_is_measured(run: RunSource) -> None:
    source = FigureSource(lambda: run)
    run.measuring = True
    assert source.look() == []
    assert source._process is None
    run.measuring = False
    source.look()
    assert source._process is not None
    run.measuring = True
    source.look()
    assert source._process is None, "the work ends when a sample begins"
    source.close()


def test_figures_of_the_folder_are_taken_where_they_are_new(run: RunSource, tmp_path: Path) -> None:
    folder = run.folder / figures.FIGURES
    folder.mkdir()
    (folder / "throughput.svg").write_text("<svg/>")
    (tmp_path / "secret.svg").write_text("a secret")
    (folder / "link.svg").symlink_to(tmp_path / "secret.svg")
    assert [(one["name"], one["svg"]) for one in FigureSource(lambda: run).look()] == [
        ("throughput", "<svg/>")
    ]
    assert len(list(figures.stored(run.folder, "x", 5.0))) == 1


def test_a_lab_without_a_run_has_no_figures() -> None:
    assert FigureSource(lambda: None).look() == []
