"""Several commands in one shell: what each of them does, run here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from lab.hosts.daemons import LOGS, PIDS, log_file, start_argv, stop_argv
from lab.hosts.host import Secret
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

    def test_quiet_commands_and_those_that_may_fail_print_what_they_should(self) -> None:
        talk = ["sh", "-c", "echo out; echo err >&2; exit 1"]
        done = run(Batch().run(["echo", "x"], quiet=True).attempt(talk).show(talk))
        assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")

    def test_a_secret_replaces_the_file_that_was_there_and_is_known_by_its_name(self, tmp_path: Path) -> None:
        file = tmp_path / "key"
        file.write_text("old")
        before = file.stat().st_ino
        holder = file.open()
        batch = Batch().write(str(file), "new", 0o600, secret="the key")
        assert run(batch).returncode == 0
        assert (holder.read(), file.read_text(), file.stat().st_mode & 0o777) == ("old", "new", 0o600)
        assert file.stat().st_ino != before
        assert (batch._secrets, Batch().write("/x", "y")._secrets) == ({"the key": "new"}, {})
        assert "\nchmod 644 /x\n" in Batch().write("/x", "y").script
        assert Batch().write("/x", "y").script.startswith("mkdir -p /\n")
        holder.close()

    def test_batches_are_joined_with_their_secrets(self) -> None:
        one, other = Batch().run(["echo", "a"]), Batch().write("/x", "y", secret="s")
        assert one.then(other) is one
        assert one.script == "echo a\n" + other.script
        assert Batch().unless(["false"], other)._secrets == one._secrets == {"s": "y"}

    def test_daemons_are_started_in_folders_that_are_there_and_leave_no_log(self) -> None:
        started, stopped = Batch().start("d", ["prog"], "/somewhere"), Batch().stop("d")
        assert started.script.splitlines()[0] == f"mkdir -p {PIDS} {LOGS} /somewhere"
        assert (
            started.script
            == Batch()
            .run(["mkdir", "-p", PIDS, LOGS, "/somewhere"])
            .run(start_argv("d", ["prog"], "/somewhere"))
            .script
        )
        assert stopped.script == Batch().run(stop_argv("d")).script + f"rm -f {log_file('d')}\n"
        assert Batch().start("d", ["prog"]).script == Batch().start("d", ["prog"], "/").script

    def test_a_wait_without_a_text_is_for_success_and_prints_nothing(self) -> None:
        done = run(Batch().wait(["echo", "printed"], 20))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_batch_is_one_command_of_a_host_and_an_empty_one_is_none() -> None:
    asked = list[tuple[list[str], dict[str, Any]]]()

    class Host:
        async def run(self, argv: list[str], **options: Any) -> str:
            asked.append((argv, options))
            return "result"

    host: Any = Host()
    assert (await Batch().on(host)).status == 0
    assert asked == []
    assert await Batch().run(["x"]).on(host, timeout=5, check=False, env={"A": "1"}) == "result"
    assert asked == [
        (["sh", "-e"], {"stdin": b"x\n", "timeout": 5, "check": False, "env": {"A": "1"}}),
    ]
    await Batch().write("/x", "y", secret="s").on(host)
    assert isinstance(asked[1][1]["stdin"], Secret)
    assert (asked[1][1]["check"], asked[1][1]["env"]) == (True, None)
