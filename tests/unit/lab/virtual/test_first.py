"""The first process of a box, as far as no kernel is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.virtual import first


def test_it_needs_nothing_but_the_standard_library() -> None:
    """It starts without site-packages, and with no folder of the project on its path."""
    argv = [sys.executable, "-S", "-B", "-c", f"import runpy; runpy.run_path({first.__file__!r})"]
    subprocess.run(argv, check=True, cwd="/", env={})


def test_it_returns_the_status_of_its_command_and_buries_orphans() -> None:
    orphan = subprocess.Popen(["true"])
    command = subprocess.Popen(["sh", "-c", "sleep 0.2; exit 5"])
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], {})
    assert first.wait_as_first(command.pid) == 5
    assert {orphan.pid, pid}


def test_files_of_the_kernel_are_written_whole(tmp_path: Path) -> None:
    first.put(str(tmp_path / "x"), "4096")
    assert (tmp_path / "x").read_text() == "4096"
