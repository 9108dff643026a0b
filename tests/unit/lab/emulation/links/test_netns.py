"""Network namespaces: their paths, and threads that enter them. Needs root to enter one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from lab.emulation.links import netns
from lab.errors import CommandError
from tests.paths import ROOT

HERE = Path("/proc/thread-self/ns/net")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root enters namespaces")


def test_a_namespace_is_named_by_process_name_or_path() -> None:
    assert netns.path(17) == "/proc/17/ns/net"
    assert netns.path("lab-x") == "/run/netns/lab-x"
    assert netns.path("/proc/1/ns/net") == "/proc/1/ns/net"


async def test_commands_of_a_batch_are_one_process_and_none_is_none() -> None:
    calls: list[tuple[list[str], bytes]] = []

    async def run(argv: Sequence[str], *, stdin: bytes, **_: Any) -> Any:
        calls.append((list(argv), stdin))

    await netns.batch("ip", "lab-x", ["link set lo up", "link set br1 up"], run)  # type: ignore[arg-type]
    await netns.batch("tc", "lab-x", [], run)  # type: ignore[arg-type]

    argv = ["nsenter", "--net=/run/netns/lab-x", "ip", "-batch", "-"]
    assert calls == [(argv, b"link set lo up\nlink set br1 up\n")]


async def test_no_batch_is_longer_than_its_program_has_files() -> None:
    said: list[bytes] = []

    async def run(argv: Sequence[str], *, stdin: bytes, **_: Any) -> Any:
        said.append(stdin)

    lines = [f"link add {n} type veth peer name eth0 netns /proc/{n}/ns/net" for n in range(2000)]
    await netns.batch("ip", "lab-x", lines, run)  # type: ignore[arg-type]
    assert b"".join(said) == netns.script(lines)
    assert max(one.count(b"\n") for one in said) < 1024


async def test_the_command_of_a_batch_that_failed_is_named_with_its_reason() -> None:
    async def run(argv: Sequence[str], **_: Any) -> Any:
        raise CommandError(
            "this machine", argv, 1, "", "RTNETLINK answers: No such device\nCommand failed -:2\n"
        )

    with pytest.raises(CommandError, match=r"'.* ip link set br1 up' ended .*: RTNETLINK answers: No such"):
        await netns.batch("ip", "lab-x", ["link set lo up", "link set br1 up"], run)


def test_small_programs_find_the_lab_where_this_one_does() -> None:
    assert Path(netns.OWN_MODULES["PYTHONPATH"]).resolve() == ROOT.resolve()


@needs_root
def test_a_thread_is_back_in_its_own_namespace() -> None:
    before = HERE.readlink()
    with pytest.raises(KeyError), netns.entered(os.getpid()):
        raise KeyError
    assert HERE.readlink() == before
    with pytest.raises(FileNotFoundError), netns.entered("lab-that-never-was"):
        pass


@needs_root
def test_a_namespace_that_is_gone_is_left_out() -> None:
    namespaces = {"here": "/proc/self/ns/net", "gone": "/run/netns/lab-that-never-was"}

    assert netns.in_each(namespaces, lambda name: name.upper()) == {"here": "HERE"}


async def test_an_error_that_names_no_command_passes_as_it_is() -> None:
    failed = CommandError("this machine", ["tc"], 1, "", "tc: not found")

    async def run(argv: Sequence[str], **_: Any) -> Any:
        raise failed

    with pytest.raises(CommandError) as caught:
        await netns.batch("tc", "lab-x", ["qdisc show"], run)
    assert caught.value is failed


@needs_root
def test_work_is_done_inside_each_namespace_and_this_thread_stays(tmp_path: Path) -> None:
    before = HERE.readlink()
    keeper = subprocess.Popen(["unshare", "--net", "sleep", "100"])
    try:
        there = Path(f"/proc/{keeper.pid}/ns/net")
        deadline = monotonic() + 10
        while there.readlink() == before and monotonic() < deadline:
            pass
        seen = netns.in_each({"there": str(there), "here": "/proc/self/ns/net"}, lambda name: HERE.readlink())
        with netns.entered(keeper.pid):
            inside = HERE.readlink()
        assert (seen["there"], seen["here"], inside) == (there.readlink(), before, there.readlink())
        assert HERE.readlink() == before != inside
        with pytest.raises(OSError, match="setns"), netns.entered("/proc/self/ns/uts"):
            pass
    finally:
        keeper.kill()
        keeper.wait()


async def test_a_batch_has_the_environment_that_is_given_with_it() -> None:
    given: list[Any] = []

    async def run(argv: Sequence[str], **options: Any) -> Any:
        given.append((argv[-3:], options))

    await netns.batch("tc", "lab-x", ["qdisc show"], run, {"TC_LIB_DIR": "/x"})  # type: ignore[arg-type]
    assert given == [(["tc", "-batch", "-"], {"stdin": b"qdisc show\n", "env": {"TC_LIB_DIR": "/x"}})]


def test_what_a_namespace_of_links_is_called_and_where_ipv6_is_switched_off() -> None:
    assert netns.of_lab("x") == "lab-x"
    assert (
        tuple(f"/proc/sys/net/ipv6/conf/{what}/disable_ipv6" for what in ("all", "default"))
        == netns.IPV6_SWITCHES
    )
