"""Programs that run for minutes end with the process that starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.util import attached
from tests.mutation import cage
from tests.paths import ROOT

#: A build: it starts another program in a session of its own, mounts something, and takes long.
BUILD = "setsid sleep 1000 & mount -t tmpfs x place && echo > began; wait"
CALLER = f"""
import subprocess
from lab.util import attached
subprocess.run(attached.argv(["sh", "-c", {BUILD!r}]))
"""
#: Namespaces need no root in a user namespace.
AS_ROOT = ["unshare", "--user", "--map-root-user"]


@pytest.mark.skipif(bool(cage.missing()), reason=cage.missing() or "this machine has user namespaces")
def test_after_kill_9_nothing_of_a_program_runs(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    held, inside = os.pipe()
    argv = [*AS_ROOT, sys.executable, "-c", CALLER]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    caller = subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=inside, stderr=inside)
    os.close(inside)
    deadline = time.monotonic() + 20
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline, "it did not begin"
        time.sleep(0.01)
    caller.kill()
    caller.wait()
    # all that run have its other end
    with open(held, "rb") as end:
        assert end.read() == b""
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@pytest.mark.skipif(bool(cage.missing()), reason=cage.missing() or "this machine has user namespaces")
def test_status_and_output_come_back() -> None:
    argv = attached.argv(["sh", "-c", "echo out; exit 7"])
    done = subprocess.run([*AS_ROOT, *argv], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "out\n")
