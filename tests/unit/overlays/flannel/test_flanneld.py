"""Building flanneld: one at a time, and nothing of it is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.paths import ROOT

#: In place of Go: notes who writes, and finds another one at work if there is one.
GO = """\
#!/bin/sh
for word; do case $word in -o=*) out=${word#-o=} ;; esac; done
other=$(cat "$WORK/busy" 2>/dev/null) && grep -qs '^State:.[^Z]' "/proc/$other/status" && touch "$WORK/two"
echo $$ > "$WORK/busy"
printf half > "$out"
[ -e "$WORK/quick" ] || sleep 1000
echo whole > "$out"
rm "$WORK/busy"
"""
BUILD = [sys.executable, "-c", "from overlays.flannel import flanneld; print(flanneld.build().read_text())"]


def test_after_kill_9_the_next_build_is_alone_and_whole(tmp_path: Path) -> None:
    (tmp_path / "go").write_text(GO)
    (tmp_path / "go").chmod(0o755)
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "WORK": str(tmp_path),
    }
    killed = subprocess.Popen(BUILD, env=env)
    deadline = time.monotonic() + 20
    while not (tmp_path / "busy").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (tmp_path / "quick").touch()
    waiting = subprocess.Popen(BUILD, env=env, stdout=subprocess.PIPE, text=True)
    killed.kill()
    killed.wait()
    assert waiting.communicate(timeout=30)[0] == "whole\n\n"
    assert not (tmp_path / "two").exists()
