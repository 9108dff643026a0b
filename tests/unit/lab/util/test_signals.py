"""A signal ends work in order: it is cancelled, cleans up, and only then is the command over."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from lab.util.signals import SIGNALS, cancel_on_signal


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cancels_the_work_and_waits_for_its_cleaning_up(number: signal.Signals) -> None:
    done = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            done.append("cleaned up")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_on_signal(work()))
    assert done == ["cleaned up"]


def test_work_that_nobody_interrupts_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert asyncio.run(cancel_on_signal(work())) == 7
