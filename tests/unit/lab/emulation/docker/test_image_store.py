"""The image store of the hosts: a daemon's store taken apart, on plain folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.docker import image_store
from lab.errors import MachineError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The files that a daemon leaves in its folder: two layers, an index, and what a host does not need."""
    raw = tmp_path / "raw"
    for name in ("base", "top"):
        (raw / "overlay2" / name / "diff" / "etc").mkdir(parents=True)
        (raw / "overlay2" / name / "link").write_text(name.upper())
    (raw / "overlay2" / "top" / "lower").write_text("l/BASE")
    (raw / "overlay2" / "top" / "work").mkdir()
    (raw / "overlay2" / "l").mkdir()
    (raw / "overlay2" / "l" / "BASE").symlink_to("../base/diff")
    (raw / "overlay2" / "backingFsBlockDev").touch()
    (raw / "image" / "overlay2").mkdir(parents=True)
    (raw / "image" / "overlay2" / "repositories.json").write_text("{}")
    (raw / "network").mkdir()
    return raw


def test_a_template_has_everything_but_the_files_of_the_layers(raw: Path, tmp_path: Path) -> None:
    image_store.split(raw, tmp_path / "new")
    template = tmp_path / "new" / "template"
    assert sorted(p.name for p in template.iterdir()) == ["image", "overlay2"]
    assert (template / "overlay2" / "top" / "diff").readlink() == Path("/var/lib/lab-seed/overlay2/top/diff")
    assert (template / "overlay2" / "top" / "lower").read_text() == "l/BASE"
    assert (template / "overlay2" / "top" / "work").is_dir()
    assert (template / "overlay2" / "l" / "BASE").readlink() == Path("../base/diff")
    assert (tmp_path / "new" / "overlay2" / "top" / "diff" / "etc").is_dir()


def test_a_store_of_another_driver_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vfs").mkdir()
    with pytest.raises(MachineError, match="overlay2 does not work"):
        image_store.split(tmp_path, tmp_path / "new")
