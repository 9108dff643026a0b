"""Hosts that are containers: how a command gets into one, and what it finds there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import CommandError
from lab.hosts.command import FullEnvironment, Trace, run
from lab.hosts.container import ContainerHost
from lab.hosts.first_process import ENTER, FirstProcess
from lab.hosts.host import Result, docker_exec


def test_a_secret_has_only_its_name_in_argv() -> None:
    argv = docker_exec("c", ["weaver"], stdin=None, env={"WEAVE_PASSWORD": "x"})
    assert argv[:5] == ["docker", "exec", "-e", "WEAVE_PASSWORD", "c"]


async def test_a_host_is_entered_with_its_own_environment_and_no_other(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    async def run_here(argv, **more):  # type: ignore[no-untyped-def]
        seen.update(more, argv=argv)
        return Result(tuple(argv), 0, "", "", 0.0)

    inside = FirstProcess(42, 4711, ("NET_ADMIN", "CHOWN"), {"LAB_ID": "ab12"})
    await ContainerHost("AMS", "AMS", (), "c", run_here, inside).run(["ip", "link"], env={"PASSWORD": "x"})
    argv = " ".join(seen["argv"][1:])  # type: ignore[index]
    assert argv == "42 4711 -all,+net_admin,+chown timeout -k 2 60 ip link"
    env = seen["env"]
    assert isinstance(env, FullEnvironment)
    assert sorted(env) == ["HOME", "LAB_ID", "PASSWORD", "PATH"]
    # and a trace names only what was given
    trace = Trace(tmp_path / "trace.sh")
    await trace(["true"], env=env)
    trace.close()
    assert "with PASSWORD in its environment" in (tmp_path / "trace.sh").read_text()


async def test_a_trace_has_a_command_in_a_host_as_anybody_can_run_it_again(tmp_path: Path) -> None:
    """A process's number, by which a host is entered, is another one in the next lab."""

    async def run_here(argv, **_):  # type: ignore[no-untyped-def]
        return Result(tuple(argv), 0, "", "", 0.0)

    trace = Trace(tmp_path / "trace.sh", run_here)
    host = ContainerHost("AMS", "AMS", (), "lab-ab12-AMS", trace, FirstProcess(42, 4711, ("NET_ADMIN",), {}))
    await host.run(["tee", "/etc/x"], stdin=b"1\n", env={"PASSWORD": "x"})
    trace.close()
    lines = (tmp_path / "trace.sh").read_text().splitlines()
    again = "docker exec -i -e PASSWORD lab-ab12-AMS timeout -k 2 60 tee /etc/x <<'LAB_INPUT'"
    assert lines[-3:] == [again, "1", "LAB_INPUT"]


async def test_a_container_that_ended_is_not_entered() -> None:
    """Its number may be another process's by now."""
    inside = FirstProcess(os.getpid(), 4711, (), {})
    with pytest.raises(CommandError, match="the host has ended"):
        await ContainerHost("AMS", "AMS", (), "c", run, inside).run(["true"])


def test_the_way_into_a_host_is_a_program_that_is_told_which_process_and_what_it_may() -> None:
    inside = FirstProcess(7, 99, ("NET_ADMIN", "CHOWN"), {"LAB_ID": "x"})
    assert inside.argv(["id", "-u"]) == [str(ENTER), "7", "99", "-all,+net_admin,+chown", "id", "-u"]
    assert os.access(ENTER, os.X_OK)
    assert dict(inside.environment({"A": "b"})) == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LAB_ID": "x",
        "A": "b",
    }
    assert inside.environment().given == {}
