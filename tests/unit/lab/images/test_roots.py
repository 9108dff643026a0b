"""The images' files in plain folders: exported once, whole or not at all, and without Docker afterwards."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import images
from lab.errors import MachineError
from lab.events import silent
from lab.images import roots
from lab.util import paths
from lab.util.locks import machine_lock


def archive(files: Mapping[str, str]) -> bytes:
    """A tar archive, as Docker sends it of a container."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


class Docker:
    """A client whose containers have the files of `content`."""

    def __init__(self, content: bytes, old: Sequence[str] = ()) -> None:
        self.content, self.there, self.asked = content, list(old), 0
        self.containers = SimpleNamespace(create=self._create, list=self._list)

    def _list(self, *, filters: Any, **_: bool) -> list[Any]:
        return [self._container(name) for name in self.there if filters["name"] == f"^/{name}$"]

    def _create(self, tag: str, *, name: str, network_mode: str) -> Any:
        assert name not in self.there, "Docker refuses a name twice"
        self.there.append(name)
        return self._container(name)

    def _container(self, name: str) -> Any:
        return SimpleNamespace(
            export=lambda: iter([self.content]), remove=lambda force: self.there.remove(name)
        )

    @contextmanager
    def serving(self) -> Iterator[Any]:
        self.asked += 1
        yield self


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.setattr("lab.util.locks.STATE", tmp_path)
    monkeypatch.setattr(images, "ensure", lambda client, emit: [])


FILES = archive({"etc/hostname": "x", ".dockerenv": ""})


def test_files_are_exported_once_and_then_nobody_asks_docker() -> None:
    docker = Docker(FILES)
    made = roots.ensure(silent, docker.serving)
    assert roots.ensure(silent, docker.serving) == roots.find() == made
    assert docker.asked == 1
    assert sorted(made) == ["lab/gtsperf", "lab/host"]
    for folder in made.values():
        assert (folder / "etc/hostname").read_text() == "x"
        assert not (folder / ".dockerenv").exists()
    assert docker.there == []


def test_an_interrupted_export_is_no_export(tmp_path: Path) -> None:
    # a container and a folder that a killed one left
    left = (tmp_path / "roots" / roots.inputs()).with_suffix(".partial")
    (left / "host" / "half").mkdir(parents=True)
    docker = Docker(FILES, old=["lab-root-host"])
    assert roots.find() == {}
    made = roots.ensure(silent, docker.serving)
    assert not (made["lab/host"] / "half").exists()
    assert [path.name for path in (tmp_path / "roots").iterdir()] == [roots.inputs()]


def test_what_cannot_be_unpacked_leaves_nothing(tmp_path: Path) -> None:
    docker = Docker(b"no archive" * 1000)
    with pytest.raises(MachineError, match="lab/host cannot be unpacked"):
        roots.ensure(silent, docker.serving)
    assert (docker.there, list((tmp_path / "roots").iterdir())) == ([], [])


def test_files_of_former_images_go_unless_a_host_may_run_on_them(tmp_path: Path) -> None:
    old = tmp_path / "roots" / "0123456789abcdef"
    old.mkdir(parents=True)
    roots.ensure(silent, Docker(FILES).serving, keep_others=True)
    assert old.exists()
    roots.remove()
    old.mkdir(parents=True)
    roots.ensure(silent, Docker(FILES).serving)
    assert not old.exists()
    assert roots.remove() == [str(tmp_path / "roots" / roots.inputs())]
    assert roots.find() == {}


def test_what_a_killed_export_left_is_cleaned_up(tmp_path: Path) -> None:
    """Its container stayed until somebody needed the files again."""
    docker = Docker(FILES, ["lab-root-host", "lab-root-of-somebody"])
    partial = roots.place() / "abc.partial"
    partial.mkdir(parents=True)
    (roots.place() / "whole").mkdir()
    (tmp_path / "images/half").mkdir(parents=True)  # of a build without a registry
    left = [str(tmp_path / "images"), "container lab-root-host", str(partial)]
    assert roots.remove_interrupted(docker.serving) == left
    assert (docker.there, [path.name for path in roots.place().iterdir()]) == (
        ["lab-root-of-somebody"],
        ["whole"],
    )
    assert roots.remove_interrupted(docker.serving) == []
    assert docker.asked == 1, "Docker is asked only where something is left"


def test_an_export_that_is_under_way_is_left_alone() -> None:
    docker = Docker(FILES, ["lab-root-host"])
    (roots.place() / "abc.partial").mkdir(parents=True)
    with machine_lock("images", silent, "building images"):
        assert roots.remove_interrupted(docker.serving) == []
    assert docker.there == ["lab-root-host"]
