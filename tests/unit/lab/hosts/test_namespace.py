"""Hosts that are namespaces: how a command gets into one, and how a trace has it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.errors import CommandError
from lab.hosts.command import FullEnvironment, Trace, run
from lab.hosts.first_process import FirstProcess
from lab.hosts.host import Result
from lab.hosts.namespace import NamespaceHost

INSIDE = FirstProcess(42, 4711, ("NET_ADMIN", "CHOWN"), {"LAB_ID": "ab12"})


async def test_a_host_is_entered_with_its_own_environment_and_no_other() -> None:
    seen: dict[str, Any] = {}

    async def run_here(argv: Sequence[str], **more: Any) -> Result:
        seen.update(more, argv=argv)
        return Result(tuple(argv), 0, "", "", 0.0)

    await NamespaceHost("AMS", "AMS", (), INSIDE, run_here).run(["ip", "link"], env={"PASSWORD": "x"})
    assert " ".join(seen["argv"][1:]) == "42 4711 -all,+net_admin,+chown timeout -k 2 60 ip link"
    assert isinstance(seen["env"], FullEnvironment)
    assert sorted(seen["env"]) == ["HOME", "LAB_ID", "PASSWORD", "PATH"]


async def test_a_trace_has_the_verb_that_runs_a_command_again(tmp_path: Path) -> None:
    async def run_here(argv: Sequence[str], **_: Any) -> Result:
        return Result(tuple(argv), 0, "", "", 0.0)

    trace = Trace(tmp_path / "trace.sh", run_here)
    await NamespaceHost("AMS", "AMS", (), INSIDE, trace).run(["tee", "/etc/x"], stdin=b"1\n")
    trace.close()
    lines = (tmp_path / "trace.sh").read_text().splitlines()
    assert lines[-3:] == ["lab exec AMS -- timeout -k 2 60 tee /etc/x <<'LAB_INPUT'", "1", "LAB_INPUT"]


async def test_a_host_that_ended_is_not_entered() -> None:
    """The number of its first process may be another process's by now."""
    with pytest.raises(CommandError, match="the host has ended"):
        await NamespaceHost("AMS", "AMS", (), FirstProcess(os.getpid(), 4711, (), {}), run).run(["true"])
