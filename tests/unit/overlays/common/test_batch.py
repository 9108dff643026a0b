"""Several commands in one shell: what each of them does, run here."""

from __future__ import annotations

import subprocess
from pathlib import Path

from overlays.common.batch import Batch


def run(batch: Batch) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-e"], input=batch.script, capture_output=True, text=True, check=False)


class TestBatch:
    def test_words_reach_a_command_as_they_are(self) -> None:
        odd = ["a b", "$HOME", "'q'", "*", "ü\n"]
        assert run(Batch().run(["printf", "<%s>", *odd])).stdout == "".join(f"<{w}>" for w in odd)

    def test_the_first_failure_ends_it(self) -> None:
        done = run(Batch().run(["false"]).run(["echo", "not reached"]))
        assert (done.returncode, done.stdout) == (1, "")

    def test_an_attempt_may_fail(self) -> None:
        assert run(Batch().attempt(["false"]).run(["echo", "reached"])).stdout == "reached\n"

    def test_it_writes_files_and_feeds_commands(self, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "file"
        done = run(Batch().write(str(path), 'it\'s "so"\n', mode=0o600).feed(["cat"], "fed"))
        assert path.read_text() == 'it\'s "so"\n'
        assert path.stat().st_mode & 0o777 == 0o600
        assert done.stdout == "fed"

    def test_a_wait_ends_when_the_text_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "said"
        path.write_text("ready now")
        assert run(Batch().wait(["cat", str(path)], 30, "ready").run(["echo", "on"])).stdout == "on\n"

    def test_a_wait_gives_up(self) -> None:
        assert run(Batch().wait(["false"], 0.1).run(["echo", "on"])).stdout == "on\n"

    def test_it_waits_for_what_a_command_provokes(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_text("old\n")
        later = f"(sleep 0.2; echo new >> {log}) &"
        done = run(
            Batch().provoke(["sh", "-c", later], ["grep", "-c", "", str(log)], 5).run(["cat", str(log)])
        )
        assert done.stdout == "old\nnew\n"

    def test_unless_runs_only_where_the_check_fails(self) -> None:
        batch = Batch().unless(["true"], Batch().run(["echo", "a"]))
        assert run(batch.unless(["false"], Batch().run(["echo", "b"]))).stdout == "b\n"
