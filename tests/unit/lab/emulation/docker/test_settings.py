"""Docker's settings: with which a lab works, and with which it is refused before anything is built."""

from __future__ import annotations

import json
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.docker import settings
from lab.emulation.docker.daemon import Daemon, DaemonPaths
from lab.errors import MachineError

#: As `docker info` and Docker's API say it: only what tells one daemon from another.
PLAIN = {
    "ServerVersion": "26.1.5+dfsg1",
    "OSType": "linux",
    "SecurityOptions": ["name=seccomp,profile=builtin"],
}
ROOTLESS = ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]
USERNS = ["name=apparmor", "name=userns"]
PODMAN_SERVICE = {"Components": [{"Name": "Podman Engine", "Version": "5.4.2"}]}
PODMAN_CLIENT = {"host": {"ociRuntime": {"name": "crun"}}, "store": {}, "version": {}}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"LiveRestoreEnabled": True},
        {"DockerRootDir": "/srv/docker"},
        {"BridgeNfIptables": False},
        {"CgroupDriver": "systemd", "CgroupVersion": "2"},
        {"SecurityOptions": None},
    ],
)
def test_a_daemon_of_root_is_taken_as_it_is(more: dict[str, Any]) -> None:
    assert list(settings.faults({**PLAIN, **more})) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({**PLAIN, "SecurityOptions": ROOTLESS}, "runs rootless"),
        ({**PLAIN, "SecurityOptions": USERNS}, "take it out of /etc/docker/daemon.json"),
        ({**PLAIN, **PODMAN_SERVICE}, "this is Podman"),
        (PODMAN_CLIENT, "this is Podman"),
        ({**PLAIN, "OSType": "windows"}, "of windows"),
    ],
)
def test_one_that_cannot_make_hosts_is_refused_with_a_remedy(said: dict[str, Any], words: str) -> None:
    (sentence,) = settings.faults(said)
    assert words in sentence
    assert "; " in sentence


def test_the_command_and_the_socket_have_to_mean_one_daemon(tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    assert settings.elsewhere(socket, {}) == ""
    assert settings.elsewhere(socket, {"DOCKER_HOST": f"unix://{socket}"}) == ""
    assert "unset it" in settings.elsewhere(socket, {"DOCKER_HOST": "unix:///run/user/1000/docker.sock"})


@pytest.fixture
def daemon() -> Iterator[tuple[Path, dict[str, Any]]]:
    """A socket at which something answers as Docker does, and its answers by path."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path, "what?")).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "test"

        def log_message(self, *_: object) -> None:
            pass

    folder = Path(tempfile.mkdtemp())  # short enough for a socket
    with socketserver.ThreadingUnixStreamServer(str(folder / "s"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder / "s", answers
        server.shutdown()
        thread.join()
    shutil.rmtree(folder)


def test_a_daemon_is_asked_itself_before_anything_is_built(
    daemon: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: name)
    socket, answers = daemon
    of_test = DaemonPaths(socket, *(tmp_path / name for name in ("data", "exec", "pid", "record", "locks")))
    Daemon(paths=of_test).ensure()  # one that tells nothing is tried
    answers.update({"/info": PLAIN, "/version": {}})
    Daemon(paths=of_test).ensure()
    answers["/info"] = {**PLAIN, "SecurityOptions": ROOTLESS}
    with pytest.raises(MachineError, match="rootless"):
        Daemon(paths=of_test).ensure()
    answers.update({"/info": PLAIN, "/version": PODMAN_SERVICE})
    with pytest.raises(MachineError, match="Podman"):
        Daemon(paths=of_test).ensure()


def test_a_command_that_asks_another_daemon_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def ask(path: str) -> bytes:
        asked.append(path)
        return json.dumps(PLAIN).encode()

    settings.check(tmp_path / "s", ask)
    assert asked == ["/version", "/info"]
    monkeypatch.setattr(settings, "elsewhere", lambda socket: f"not at {socket.name}")
    with pytest.raises(MachineError, match=r"^not at s$"):
        settings.check(tmp_path / "s", ask)


@pytest.mark.parametrize("text", ["[1]", "no JSON", b"\xff", "1"])
def test_what_is_no_answer_says_nothing(text: str | bytes) -> None:
    assert settings.parsed(text) == {}
    assert settings.parsed('{"a": 1}') == {"a": 1}
