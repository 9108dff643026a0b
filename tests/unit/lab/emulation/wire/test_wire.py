"""The wire as its lab sees it: how its daemon is started, and found dead. No root."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.wire import wire
from lab.errors import ShaperError


def test_the_process_is_started_inside_and_found_by_nobody_else(tmp_path: Path) -> None:
    argv = wire.start_command("lab-x", tmp_path)

    assert argv[:2] == ["nsenter", "--net=/run/netns/lab-x"]
    assert argv[-4:] == ["-m", "lab.emulation.wire.daemon", str(tmp_path), "/run/netns/lab-x"]


async def test_a_dead_process_is_one_sentence(tmp_path: Path) -> None:
    shaper = wire.Wire("x", tmp_path)
    (tmp_path / "wire.json").write_text('{"pid": 999999999, "started": 5, "variant": "nft", "lead": 0}')

    with pytest.raises(ShaperError, match=r"wire of lab x \(process 999999999\) does not answer"):
        await shaper.check()
    await shaper.close()
    assert shaper.processes == ()
