"""What boxes need of this machine."""

from __future__ import annotations

from pathlib import Path

from lab.app.boxes import compile_modules


def test_every_box_finds_the_modules_compiled(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/one.py").write_text("ONE = 1\n")
    compile_modules(tmp_path)
    assert list((tmp_path / "lab/__pycache__").glob("one.*.pyc"))


def test_a_module_with_an_error_and_a_missing_folder_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/one.py").write_text("ONE =\n")
    compile_modules(tmp_path)
    assert not list(tmp_path.glob("lab/__pycache__/one.*"))
