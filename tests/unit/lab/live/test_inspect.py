"""A look at labs that are up: endpoints that are processes on their host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation.ownership import Process
from lab.live import inspect
from tests.unit.fakes import ME, lab_record


@pytest.mark.parametrize(
    ("process", "state"),
    [
        (ME, "running"),
        (Process(ME.pid, ME.started + 1), "died: its process has ended"),
        (None, "gone: it was removed"),
    ],
)
def test_an_endpoint_without_docker_is_told_by_its_first_process(
    process: Process | None, state: str, tmp_path: Path
) -> None:
    # given a host whose root is this machine's, as its first process is this one
    host = replace(lab_record(AMS=ME, PRG=ME).hosts[0])
    if process:
        (tmp_path / "process").write_text(f"{process.pid} {process.started}\n")

    assert inspect.endpoint_state(host, str(tmp_path / "endpoint")) == state
