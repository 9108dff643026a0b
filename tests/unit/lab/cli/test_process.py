"""The process of a verb: what a signal ends is told."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from lab.cli.process import wait


async def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(10)


@pytest.mark.parametrize(
    ("aftermath", "said"), [("", "lab: interrupted\n"), ("it is gone", "lab: interrupted; it is gone\n")]
)
def test_an_interrupted_verb_says_so_and_ends_with_130(
    capsys: pytest.CaptureFixture[str], aftermath: str, said: str
) -> None:
    with pytest.raises(SystemExit) as end:
        wait(interrupted(), aftermath)
    assert end.value.code == 130
    assert capsys.readouterr().err == said
