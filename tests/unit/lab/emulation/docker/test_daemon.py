"""The machine's Docker daemon, without one: its command, and the snapshot of what was there before."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from lab.emulation.docker import daemon
from lab.emulation.docker.daemon import Daemon, DaemonPaths, ExistingPaths
from lab.emulation.ownership import LabState, Process
from lab.errors import MachineError


def test_without_the_docker_command_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where somebody's daemon served, a lab was once begun and failed on a file called docker."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MachineError, match="the command docker is not installed; 'lab doctor' says"):
        Daemon().ensure()


def test_the_labs_own_daemon_leaves_the_network_alone(tmp_path: Path) -> None:
    argv = daemon.argv(daemon.DaemonPaths(socket=tmp_path / "s"))
    assert {"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"} <= set(argv)
    assert "--live-restore" in argv, "containers outlive a daemon that is started again"
    assert f"--host=unix://{tmp_path}/s" in argv


def test_only_what_was_not_there_before_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "CGROUPS", tmp_path / "cgroups")
    theirs, new, busy = (tmp_path / "cgroups" / name / "docker" for name in ("cpu", "memory", "pids"))
    theirs.mkdir(parents=True)
    old = tmp_path / "exec"
    old.mkdir()
    before = ExistingPaths.among([old, *daemon.control_groups()])
    new.mkdir(parents=True)
    (busy / "container").mkdir(parents=True)
    pidfile = tmp_path / "pid"
    pidfile.touch()
    before.delete_others([], [old, pidfile, tmp_path / "never"])
    assert (theirs.exists(), new.exists(), busy.exists()) == (True, False, True)
    assert (old.exists(), pidfile.exists()) == (True, False)


def test_what_was_there_before_survives_on_disk(tmp_path: Path) -> None:
    assert ExistingPaths.read(tmp_path) is None
    ExistingPaths.among([tmp_path]).write(tmp_path)
    assert ExistingPaths.read(tmp_path) == ExistingPaths(frozenset({str(tmp_path)}))
    (tmp_path / daemon.BEFORE_FILE).write_text("half")
    assert ExistingPaths.read(tmp_path) is None


@pytest.fixture
def own(own_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DaemonPaths:
    """The paths of a daemon that a lab has started, which is none."""
    monkeypatch.setattr(daemon, "CGROUPS", tmp_path / "cgroups")
    paths = DaemonPaths(
        *(tmp_path / name for name in ("socket", "data", "exec", "pidfile", "record", "locks"))
    )
    paths.record.mkdir()
    ExistingPaths(frozenset()).write(paths.record)
    return paths


class Server:
    """Answers at a daemon's socket, each time with the next of `bodies`; the last one stays."""

    def __init__(self, path: Path, *bodies: str) -> None:
        self.bodies, self.asked = list(bodies), list[str]()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line = self._socket.accept()[0]
            except OSError:
                return
            with line:
                self.asked.append(line.recv(4096).split()[1].decode())
                body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
                line.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def close(self) -> None:
        self._socket.close()


def test_a_daemon_that_a_lab_started_ends_with_its_last_user(own: DaemonPaths) -> None:
    assert Daemon(paths=own).release()
    assert not own.record.exists()


def test_somebody_elses_daemon_is_never_stopped(own: DaemonPaths) -> None:
    (own.record / daemon.BEFORE_FILE).unlink()
    assert not Daemon(paths=own).release()
    assert own.record.exists()


def test_a_daemon_stays_while_a_lab_stands(own: DaemonPaths) -> None:
    LabState.create()
    assert not Daemon(paths=own).release()
    assert own.record.exists()


def test_a_daemon_stays_while_another_process_uses_it(own: DaemonPaths) -> None:
    with Daemon(paths=own)._lock("users") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not Daemon(paths=own).release()
    assert own.record.exists()
    assert Daemon(paths=own).release()


@pytest.mark.parametrize(("containers", "stopped"), [('[{"Id": "1"}]', False), ("[]", True), ("?", True)])
def test_a_daemon_stays_while_a_container_of_somebody_runs_in_it(
    own: DaemonPaths, containers: str, stopped: bool
) -> None:
    server = Server(own.socket, containers)
    assert Daemon(paths=own).release() is stopped
    server.close()
    assert server.asked == ["/containers/json"]


def test_a_daemon_that_serves_is_used_and_two_processes_may(own: DaemonPaths, docker_command: None) -> None:
    server = Server(own.socket, "OK")
    one, other = Daemon(paths=own), Daemon(paths=own)
    one.ensure()
    one.ensure()
    other.ensure()
    assert [path for path in server.asked if path == "/_ping"] == ["/_ping", "/_ping"]
    assert not one.release()
    server.close()


@pytest.fixture
def docker_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("docker", "dockerd"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\necho no storage driver; exit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


def test_a_daemon_that_does_not_start_is_told_with_its_own_words_and_leaves_nothing(
    own: DaemonPaths, docker_command: None
) -> None:
    shutil.rmtree(own.record)
    with pytest.raises(MachineError, match="Docker did not start: no storage driver; the disk"):
        Daemon(paths=own).ensure()
    assert not own.record.exists()


def test_what_a_daemon_left_is_ended_by_its_mark_and_a_strangers_process_is_not(own: DaemonPaths) -> None:
    mine = subprocess.Popen(["sleep", "60"], env={**os.environ, daemon.MARK: str(own.record)})
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, daemon.MARK: "/elsewhere"})
    threading.Thread(target=mine.wait, daemon=True).start()
    own.exec.mkdir()
    own.pidfile.touch()
    own.data.mkdir()
    Daemon(paths=own)._stop()
    assert (mine.wait(10), other.poll()) == (-signal.SIGKILL, None)
    other.kill()
    other.wait()
    assert (own.exec.exists(), own.pidfile.exists(), own.data.exists()) == (False, False, True)


def test_a_daemon_is_asked_to_end_before_what_it_left_is_killed(
    own: DaemonPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    marked = [Process(7, 1), Process(8, 1)]
    monkeypatch.setattr(daemon, "processes_with", lambda mark: marked)
    monkeypatch.setattr(daemon, "_comm", lambda pid: {7: "dockerd", 8: "containerd"}[pid])
    monkeypatch.setattr(daemon, "_end", lambda pids, how, patience: ended.append((pids, how)))
    Daemon(paths=own)._stop()
    assert ended == [(marked[:1], signal.SIGTERM), (marked, signal.SIGKILL)]


def test_the_first_note_of_what_was_there_counts(own: DaemonPaths) -> None:
    """The second daemon after a crash finds what the first one made."""
    own.exec.mkdir()
    own.pidfile.touch()
    Daemon(paths=own)._record_existing_paths()
    assert ExistingPaths.read(own.record) == ExistingPaths(frozenset())
    assert not own.pidfile.exists()


def test_what_is_there_before_a_daemon_is_noted(own: DaemonPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(own.record)
    own.exec.mkdir()
    (own.data / "overlay").mkdir(parents=True)
    monkeypatch.setattr(daemon, "mount_points", lambda: [f"{own.data}/overlay", f"{own.data}2", "/"])
    Daemon(paths=own)._record_existing_paths()
    assert ExistingPaths.read(own.record) == ExistingPaths(frozenset({str(own.exec), f"{own.data}/overlay"}))


def test_mounts_below_a_folder_come_the_innermost_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "mount_points", lambda: ["/a", "/a/b", "/ab", "/a/b/c"])
    assert daemon.mounts_below(Path("/a")) == ["/a/b/c", "/a/b", "/a"]


def test_only_mounts_that_were_not_there_are_unmounted(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(daemon, "mount_points", lambda: ["/nowhere/theirs", "/nowhere/new"])
    monkeypatch.setattr(daemon, "control_groups", list)
    monkeypatch.setattr(daemon.subprocess, "run", lambda argv, **_: ran.append(argv))
    ExistingPaths(frozenset({"/nowhere/theirs"})).delete_others([Path("/nowhere")], [])
    assert ran == [["umount", "/nowhere/new"]]


def test_a_daemon_of_somebody_else_is_not_revived(own: DaemonPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(Daemon, "_start", lambda self: started.append(True))
    unused = Daemon(paths=own)
    unused.revive()
    assert started == []
    unused._using = unused._lock("users")
    unused.revive()
    assert started == [True]
    (own.record / daemon.BEFORE_FILE).unlink()
    unused.revive()
    assert started == [True]
    unused._using.close()


def test_containers_of_a_daemon_that_died_go_on(own: DaemonPaths, tmp_path: Path) -> None:
    """Clean-up of another lab's once ended them: nobody answered who could have told of them."""
    program = tmp_path / daemon.SHIM
    shutil.copy("/bin/sleep", program)
    shim = subprocess.Popen([program, "60"], env={daemon.MARK: str(own.record)})
    beside = subprocess.Popen(["sleep", "60"], env={daemon.MARK: str(own.record)})
    deadline = monotonic() + 10
    while daemon._comm(shim.pid) != daemon.SHIM and monotonic() < deadline:
        pass
    assert not Daemon(paths=own).release()
    assert (shim.poll(), own.record.exists()) == (None, True)
    shim.kill()
    shim.wait()
    threading.Thread(target=beside.wait, daemon=True).start()
    assert Daemon(paths=own).release()
    assert beside.wait(10) == -signal.SIGKILL


def test_a_daemon_of_a_lab_that_serves_no_longer_is_known_to_have_died(own: DaemonPaths) -> None:
    assert Daemon(paths=own).died()
    server = Server(own.socket, "OK")
    assert not Daemon(paths=own).died()
    server.close()
    own.socket.unlink()
    (own.record / daemon.BEFORE_FILE).unlink()
    assert not Daemon(paths=own).died(), "no lab had started one"


@pytest.mark.parametrize("alive", [True, False])
def test_a_containerd_that_ended_with_its_daemon_is_forgotten(
    own: DaemonPaths, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    """The next daemon once waited for it in vain, did not start, and every container was ended."""
    monkeypatch.setattr(daemon, "CONTAINERD_PATIENCE", 0.05)
    file = own.exec / "containerd/containerd.pid"
    file.parent.mkdir(parents=True)
    file.write_text(str(os.getpid() if alive else 1 << 22))
    Daemon(paths=own)._record_existing_paths()
    assert file.exists() is alive


def test_a_daemon_that_does_not_start_again_ends_no_container(
    own: DaemonPaths, docker_command: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Daemon, "_has_containers", lambda self: True)
    monkeypatch.setattr(Daemon, "release", lambda self: False)
    with pytest.raises(MachineError, match="Docker did not start: no storage driver"):
        Daemon(paths=own).ensure()
    assert own.record.exists()


@pytest.mark.parametrize("own_paths", [True, False])
def test_a_docker_that_systemd_has_switched_off_is_its_users_to_start(
    own: DaemonPaths, docker_command: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_paths: bool
) -> None:
    """One with folders of its own has nothing to do with that."""
    shutil.rmtree(own.record)
    monkeypatch.setattr(daemon, "SYSTEMD", tmp_path)
    if not own_paths:
        monkeypatch.setattr(daemon, "DaemonPaths", lambda: own)
    said = "Docker did not start" if own_paths else "systemctl start docker"
    with pytest.raises(MachineError, match=said):
        Daemon(paths=own).ensure()


def test_the_files_of_a_daemon_and_its_groups_are_noted_where_they_are_there(own: DaemonPaths) -> None:
    shutil.rmtree(own.record)
    there = [own.exec, own.socket, own.pidfile, daemon.CGROUPS / "cpu/docker"]
    for path in there:
        path.mkdir(parents=True)
    Daemon(paths=own)._record_existing_paths()
    noted = ExistingPaths.read(own.record)
    assert noted is not None
    assert noted.paths >= {str(path) for path in there}
    assert str(own.data) not in noted.paths


def test_a_client_talks_to_the_socket_of_the_daemon(
    own: DaemonPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Any]()
    monkeypatch.setattr("docker.DockerClient", lambda **options: asked.append(options))
    daemon.client(own)
    daemon.client()
    assert asked == [{"base_url": f"unix://{path}"} for path in (own.socket, "/var/run/docker.sock")]


def test_serving_holds_the_daemon_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    done = list[str]()
    monkeypatch.setattr(Daemon, "ensure", lambda self: done.append("ensure"))
    monkeypatch.setattr(Daemon, "release", lambda self: done.append("release"))
    monkeypatch.setattr(daemon, "client", lambda: "client")
    with daemon.serving() as there:
        assert (there, done) == ("client", ["ensure"])
    assert done == ["ensure", "release"]


def test_a_process_that_is_gone_has_no_name() -> None:
    assert daemon._comm(0) == ""
    assert daemon._comm(os.getpid()) == Path("/proc/self/comm").read_text().strip()


def test_what_cannot_be_unmounted_is_none_of_the_terminals_business(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(daemon, "mount_points", lambda: [str(tmp_path / "never-mounted")])
    monkeypatch.setattr(daemon, "control_groups", list)
    ExistingPaths(frozenset()).delete_others([tmp_path], [])
    assert capfd.readouterr() == ("", "")


def test_a_containerd_that_has_ended_is_not_waited_for(
    own: DaemonPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "CONTAINERD_PATIENCE", 60.0)
    file = own.exec / "containerd/containerd.pid"
    file.parent.mkdir(parents=True)
    file.write_text(f"{1 << 22}\n")
    began = monotonic()
    Daemon(paths=own)._record_existing_paths()
    assert (file.exists(), monotonic() - began < 30) == (False, True)


def test_the_folders_of_locks_and_of_the_record_are_made_where_they_are_missing(
    own: DaemonPaths, tmp_path: Path
) -> None:
    far = replace(own, locks=tmp_path / "a" / "locks", record=tmp_path / "b" / "record")
    for _ in range(2):
        with Daemon(paths=far)._lock("start") as lock:
            assert lock.name == str(tmp_path / "a" / "locks" / "dockerd-start.lock")
        Daemon(paths=far)._record_existing_paths()
    assert ExistingPaths.read(far.record) is not None


def test_a_daemon_is_started_in_a_session_of_its_own_with_its_mark_and_a_log(
    own: DaemonPaths, docker_command: None, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "dockerd").write_text(
        f'#!/bin/sh\necho $$ $(ps -o sid= -p $$) $PWD ${daemon.MARK} "$@"; read word; echo $?; echo err >&2\n'
    )
    process = Daemon(paths=own)._spawn()
    process.wait(10)
    pid, session, folder, mark, *words = (own.record / "log").read_text().split()
    assert (pid, folder, mark) == (session, "/", str(own.record))
    assert words == [*daemon.argv(own)[1:], "1", "err"], "its input has nothing in it"
    assert daemon.argv(own)[:5] == [
        "dockerd",
        f"--host=unix://{own.socket}",
        f"--data-root={own.data}",
        f"--exec-root={own.exec}",
        f"--pidfile={own.pidfile}",
    ]


def test_an_answer_of_a_daemon_has_its_status_and_its_body(own: DaemonPaths) -> None:
    server = Server(own.socket, "words")
    assert daemon.get(own.socket, "/info", 5.0) == (200, b"words")
    assert Daemon(paths=own)._ask("/version") == b"words"
    assert server.asked == ["/info", "/version"]
    server.close()
    own.socket.unlink()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(own.socket))
        silent.listen()
        with pytest.raises(TimeoutError):
            daemon.get(own.socket, "/info", 0.05)


def test_a_daemon_that_answers_anything_but_yes_does_not_serve(own: DaemonPaths) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(own.socket))
        other.listen()
        answers = iter([b"HTTP/1.0 503 Busy\r\n\r\n", b"no words of HTTP\r\n\r\n"])

        def serve() -> None:
            for said in answers:
                with other.accept()[0] as line:
                    line.recv(4096)
                    line.sendall(said)

        threading.Thread(target=serve, daemon=True).start()
        assert [Daemon(paths=own).serves() for _ in range(2)] == [False, False]


def test_a_process_that_ends_when_it_is_told_is_not_waited_for_longer() -> None:
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as other:
        held = len(list(Path("/proc/self/fd").iterdir()))
        given = Process.of(one.pid)
        began = monotonic()
        daemon._end([given, Process(other.pid, 1), Process((1 << 22) - 1, 1)], signal.SIGTERM, 60.0)
        assert (one.wait(10), other.poll()) == (-signal.SIGTERM, None)
        assert monotonic() - began < 30
        assert len(list(Path("/proc/self/fd").iterdir())) == held, "no file stays open"
        daemon._end([given], signal.SIGKILL, 60.0)
        other.kill()


def test_a_process_that_takes_no_notice_is_waited_for_as_long_as_that(tmp_path: Path) -> None:
    deaf = ["sh", "-c", "trap '' TERM; echo; read word"]
    with subprocess.Popen(deaf, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        began = monotonic()
        daemon._end([Process.of(one.pid)], signal.SIGTERM, 0.2)
        assert 0.2 <= monotonic() - began < 30
        assert one.poll() is None
        one.kill()


def test_somebody_who_does_not_use_a_daemon_does_not_stop_it_under_one_who_does(
    own: DaemonPaths, docker_command: None
) -> None:
    server = Server(own.socket, "OK")
    user = Daemon(paths=own)
    user.ensure()
    server.close()
    assert not Daemon(paths=own).release()
    assert user.release()


def test_words_of_a_daemon_that_are_no_text_are_told_all_the_same(
    own: DaemonPaths, docker_command: None, tmp_path: Path
) -> None:
    shutil.rmtree(own.record)
    (tmp_path / "bin" / "dockerd").write_text("#!/bin/sh\nprintf 'b\\377d disk\\n'; exit 1\n")
    with pytest.raises(MachineError, match="Docker did not start: b\ufffdd disk"):
        Daemon(paths=own).ensure()
    shutil.rmtree(own.record, ignore_errors=True)
    (tmp_path / "bin" / "dockerd").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(MachineError, match="Docker did not start: it said nothing; the disk, the kernel"):
        Daemon(paths=own).ensure()


def test_what_a_daemon_made_is_removed_where_it_makes_it(
    own: DaemonPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Any]()
    monkeypatch.setattr(ExistingPaths, "delete_others", lambda before, *given: asked.append(given))
    monkeypatch.setattr(daemon, "processes_with", lambda mark: asked.append(mark) or [])
    Daemon(paths=own)._stop()
    mark = f"LAB_DOCKERD={own.record}"
    assert asked == [mark, mark, ([own.exec, own.data], [own.exec, own.socket, own.pidfile])]


def test_dockers_own_folders_are_those_of_a_daemon_that_is_told_of_no_others() -> None:
    paths = DaemonPaths()
    assert (str(paths.socket), str(paths.data)) == ("/var/run/docker.sock", "/var/lib/docker")
    assert (str(paths.exec), str(paths.pidfile)) == ("/var/run/docker", "/var/run/docker.pid")
    assert paths.record.name == "dockerd"


def test_every_folder_of_groups_that_is_called_docker_is_a_daemons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "CGROUPS", tmp_path)
    for name in ("docker", "cpu/docker", "memory/other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pids").mkdir()
    (tmp_path / "pids" / "docker").touch()
    assert daemon.control_groups() == [tmp_path / "docker", tmp_path / "cpu" / "docker"]


def test_without_the_daemons_program_it_is_told_which_package_has_it(
    own: DaemonPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon.shutil, "which", lambda name: None if name == "dockerd" else f"/bin/{name}")
    with pytest.raises(MachineError, match="Docker is not installed on this machine: apt-get install docker"):
        Daemon(paths=own).ensure()
    assert not Daemon(paths=own)._lock("users").closed


def test_where_the_kernel_and_systemd_are() -> None:
    assert (str(daemon.CGROUPS), str(daemon.SYSTEMD)) == ("/sys/fs/cgroup", "/run/systemd/system")
    assert daemon.SHIM == "containerd-shim", "15 letters, as the kernel cuts it"
