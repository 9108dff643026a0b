"""A loop in a thread of its own, for callers that have none, or another."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from lab.errors import LabError
from lab.util.event_loop import EventLoopThread
from tests.paths import ROOT


async def test_the_loop_serves_where_another_one_runs() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    loop = EventLoopThread()
    assert loop.call(work()) == "lab"
    loop.stop()
    assert loop.call(work()) == "lab"
    loop.stop()


def test_what_fails_in_the_loop_is_raised_here() -> None:
    async def work() -> None:
        raise LabError("no")

    loop = EventLoopThread()
    with pytest.raises(LabError, match="no"):
        loop.call(work())
    loop.stop()


INTERRUPTED = """
import asyncio, os, signal, threading
from lab.util.event_loop import EventLoopThread
async def work():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.1)
        print("cleaned up", flush=True)
try:
    EventLoopThread().call(work())
except KeyboardInterrupt:
    print("told")
"""


def test_ctrl_c_comes_back_when_the_work_has_cleaned_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, timeout=20
    )
    assert done.stdout.splitlines() == ["cleaned up", "told"], done.stderr
