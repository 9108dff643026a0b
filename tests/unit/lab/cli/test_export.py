"""lab export, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import catalog
from tests.unit.command_line import Lab


def test_export_to_gts_is_export_dsl(lab: Lab) -> None:
    assert lab("export", "star", "--format", "gts", "--dialect", "typed") == lab(
        "export-dsl", "star", "--dialect", "typed"
    )
    assert lab("export", "ring") == lab("export-dsl", "ring")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_exported_reads_back_as_it_was(lab: Lab, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"ring.{form}"
    assert lab("export", "ring", "--format", form, "-o", file) == (0, "", "")
    assert catalog.topology(file) == catalog.topology("ring")
    assert lab("export", "ring", "--format", form)[1] == file.read_text()
    assert (
        lab("export", "ring", "--format", form, "-o", file)[2] == f"lab: {file} exists; --force overwrites\n"
    )


def test_what_is_for_another_format_is_refused(lab: Lab) -> None:
    assert lab("export", "ring", "--format", "yaml", "--strict")[0] == 2
    assert lab("export", "ring", "--format", "yml")[2] == "lab: unknown format 'yml'; did you mean 'yaml'?\n"
