"""Boxes, with a shell script in place of the kernel: it prints, and leaves a status or none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from lab.errors import BoxError
from lab.virtual import box, first
from lab.virtual.beats import BEAT
from lab.virtual.box import BoxProcess, Ended, Order
from lab.virtual.kernel import Kernel

ORDER = Order(["true"], "/", {"PATH": "/bin"}, parameters={"spin_ns": "1"})


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Boot a script as the kernel, without namespaces, and return how it ended and the lines it printed."""
    monkeypatch.setattr(box, "argv", lambda folder, cpu, kernel: kernel)
    monkeypatch.setattr(box, "scratch", lambda: tmp_path)
    monkeypatch.setattr(first, "FOLDER", str(tmp_path))

    def run(script: str, stall: float = 20.0) -> tuple[Ended, list[str]]:
        program = tmp_path / "kernel"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        heard: list[str] = []
        kernel = Kernel(program, "7.2", "source", "ab12", 1, {"EXTRA": "yes"})
        made = BoxProcess(kernel, tmp_path, 0, 7, heard.append)
        return asyncio.run(made.run(ORDER, stall)), heard

    return run


def test_a_box_gives_its_status_its_lines_and_its_virtual_time(boot, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    status = tmp_path / "status"
    ended, heard = boot(f"echo $UM_SEED $EXTRA; printf '{BEAT}12.5\\n'; printf 3 > {status}")
    assert (ended.status, ended.virtual, heard) == (3, 12.5, ["7 yes"])
    assert json.loads((tmp_path / "order.json").read_text())["parameters"] == {"spin_ns": "1"}


def test_a_box_that_ends_before_its_work_is_an_error_although_an_older_status_is_there(
    boot, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "status").write_text("0")
    with pytest.raises(BoxError, match=r"ended .status 9. before its work did"):
        boot("exit 9")


def test_a_box_whose_time_stands_still_is_ended(boot) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BoxError, match=r"virtual time has hardly moved for 0.5 s: a program in the"):
        boot("exec sleep 60", stall=0.5)


def test_a_program_that_computes_without_end_is_named(boot, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """The kernel is asked with a signal what it does; here the script answers."""
    monkeypatch.setattr(box, "QUIET", 0.2)
    monkeypatch.setattr(box, "_kernel_process", lambda pid: pid)
    answer = "lab_time: 7 ns, process 9 (loop) on AMS"
    with pytest.raises(BoxError, match=r"for 2 s: loop .process 9. on AMS computes without end"):
        boot(f"trap 'echo \"{answer}\"' USR2; echo up; while :; do sleep 0.05; done", stall=2)


def test_a_box_ends_with_the_process_that_boots_it_and_runs_on_one_processor() -> None:
    words = box.argv(Path("/results/x"), 1, ["linux"])
    assert words[-4:] == ["taskset", "-c", "1", "linux"]
    assert words[:3] == ["setpriv", "--pdeathsig", "KILL"]


def test_a_machine_without_room_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "_room", lambda path: 64 << 20)
    with pytest.raises(BoxError, match="a box needs 4096 MiB in memory"):
        box.scratch()


def test_the_place_of_boxes_goes_with_the_last_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "lab" / "box"
    monkeypatch.setattr(box, "FOLDER", place)
    with box.mount_point():
        with box.mount_point():
            assert place.exists()
        box.remove_mount_point()
        assert place.exists(), "a box still uses it"
    assert not place.parent.exists()
    place.mkdir(parents=True)
    (place.parent / "labs").mkdir()
    box.remove_mount_point()
    box.remove_mount_point()
    assert [path.name for path in place.parent.iterdir()] == ["labs"]
