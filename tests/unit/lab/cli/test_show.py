"""lab show, as typed."""

from __future__ import annotations

from pathlib import Path

from tests.unit.command_line import Lab


def test_show_prints_a_table(lab: Lab) -> None:
    status, out, _ = lab("show", "full_mesh")

    assert status == 0
    assert "Hosts\nno  name" in out
    assert "59.23" in out


def test_show_still_draws_and_names_the_verb_that_does(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "chain.svg"

    assert lab("show", "linear", "-o", file) == (0, "", "lab: 'show -o' is now called 'graph -o'\n")
    assert file.stat().st_size > 100
    assert "exists; --force overwrites" in lab("show", "linear", "-o", file)[2]
