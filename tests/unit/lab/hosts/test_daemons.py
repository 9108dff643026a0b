"""The commands that start and end daemons."""

from __future__ import annotations

from lab.hosts.daemons import start_argv


def test_a_daemon_is_started_once_and_in_a_session_of_its_own() -> None:
    argv = start_argv("weave", ["weaver", "--port", "6783"], "/run/weave")
    assert argv[:4] == ["start-stop-daemon", "--start", "--oknodo", "--background"]
    assert argv[-4:] == ["--", "weaver", "--port", "6783"]
