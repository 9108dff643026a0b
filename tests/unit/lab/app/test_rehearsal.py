"""A rehearsal hands on what the user asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.app.rehearsal import options_of_run
from lab.app.request import RunRequest, plan_run


def test_a_rehearsal_hands_on_what_emulate_has_for_interruptions_and_fall_backs(tmp_path: Path) -> None:
    request = RunRequest("multihop", on_fallback="relaunch", overlays=("tinc",))
    plan = plan_run(request)
    words = options_of_run(request, plan)
    assert words[words.index("--on-mode-change") + 1] == "relaunch"
    assert "--resume" not in words
    words = options_of_run(replace(request, resume=tmp_path), plan)
    assert words[words.index("--resume") + 1] == str(tmp_path)
