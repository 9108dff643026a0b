"""lab graph, as typed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lab import catalog
from tests.unit.command_line import Lab


@pytest.mark.parametrize("form", ["svg", "png", "dot", "mmd", "json", "yaml"])
def test_graph_draws_every_form(lab: Lab, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"chain.{form}"

    assert lab("graph", "linear", "-o", file) == (0, "", "")
    assert file.stat().st_size > 100
    assert lab("graph", "linear", "-o", file)[2] == f"lab: {file} exists; --force overwrites\n"
    if form in ("json", "yaml"):
        assert catalog.topology(file).links == catalog.topology("linear").links


def test_a_picture_without_a_name_gets_that_of_the_topology(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert lab("graph", "point_to_point") == (0, "point_to_point.svg\n", "")
    assert (tmp_path / "point_to_point.svg").read_text().startswith("<?xml")


def test_graph_refuses_forms_it_does_not_know(lab: Lab) -> None:
    status, _, err = lab("graph", "linear", "-o", "chain.bmp")

    assert status == 1
    assert err == "lab: chain.bmp: a picture's file ends in .svg, .png, .dot, .mmd\n"


def test_what_is_no_file_is_not_overwritten_by_force_either(lab: Lab, tmp_path: Path) -> None:
    """A device was once replaced by a document, for everybody on the machine."""
    os.mkfifo(tmp_path / "pipe.svg")

    status, _, err = lab("graph", "linear", "-o", tmp_path / "pipe.svg", "--force")

    assert status == 1
    assert err == f"lab: {tmp_path}/pipe.svg: no file but something else is there; name another\n"
    assert stat.S_ISFIFO((tmp_path / "pipe.svg").stat().st_mode)


def test_a_picture_is_drawn_by_structure_when_asked(lab: Lab, tmp_path: Path) -> None:
    for layout in ("map", "structure"):
        assert lab("graph", "linear", "-o", tmp_path / f"{layout}.svg", "--layout", layout) == (0, "", "")
    on_map, structure = ((tmp_path / f"{layout}.svg").read_text() for layout in ("map", "structure"))
    assert on_map != structure
