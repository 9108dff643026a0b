"""The command that makes a host container."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.docker import containers
from lab.emulation.docker.containers import SECCOMP, ContainerSpec, Started, cpu_argv, run_argv
from lab.errors import HostError, HostTimeout
from lab.hosts.host import Result


def test_a_quota_is_asked_of_docker() -> None:
    argv = run_argv(ContainerSpec("c", "h", "image", cpus=0.5))
    assert "--cpu-period=5000" in argv
    assert "--cpu-quota=2500" in argv
    assert argv[-1] == "image"


def test_a_small_share_is_dealt_out_less_often_rather_than_refused() -> None:
    assert cpu_argv(0.1) == ["--cpu-period=10000", "--cpu-quota=1000"]
    assert cpu_argv(2) == ["--cpu-period=5000", "--cpu-quota=10000"]


def test_a_host_gets_a_profile_of_system_calls_and_a_container_of_a_users_image_dockers_own() -> None:
    host, container = (run_argv(ContainerSpec("c", "h", "image", confined=own)) for own in (False, True))
    assert f"--security-opt=seccomp={SECCOMP}" in host
    assert not any("seccomp=unconfined" in word for word in host)
    assert not any("security-opt" in word for word in container)


def test_the_profile_is_one_that_docker_takes() -> None:
    profile = json.loads(SECCOMP.read_text())
    names = [name for rule in profile["syscalls"] for name in rule["names"]]
    assert len(names) == len(set(names))
    assert {rule["action"] for rule in profile["syscalls"]} == {"SCMP_ACT_ERRNO"}
    assert {"init_module", "kexec_load", "perf_event_open"} <= set(names)
    # the daemon inside, and what it runs
    assert not {"mount", "unshare", "setns", "keyctl", "bpf", "pivot_root", "clone3"} & set(names)


def test_the_whole_command_of_a_container() -> None:
    spec = ContainerSpec(
        "lab-x-h",
        "h",
        "image",
        labels={"lab.id": "x"},
        capabilities=["NET_ADMIN"],
        tmpfs={"/data": "size=1g"},
        binds={"/out": "/in:ro"},
        devices=["/dev/net/tun"],
        sysctls={"net.ipv4.ip_forward": "1"},
        env={"A": "secret", "PATH": "/bin"},
        command=["sleep", "9"],
        options=["--tty"],
    )
    assert run_argv(spec) == [
        *("docker", "run", "--detach", "--pull=never", "--network=none", "--cgroupns=private"),
        *("--name=lab-x-h", "--hostname=h", "--cap-drop=ALL", "--cap-add=NET_ADMIN"),
        *("--security-opt=apparmor=unconfined", "--security-opt=systempaths=unconfined"),
        *(f"--security-opt=seccomp={SECCOMP}", "--label=lab.id=x", "--tmpfs=/data:size=1g"),
        *("--volume=/out:/in:ro", "--device=/dev/net/tun", "--sysctl=net.ipv4.ip_forward=1"),
        *("--env=A", "--env=PATH=/bin", "--tty", "image", "sleep", "9"),
    ]


def test_a_container_of_a_users_own_image_keeps_dockers_confinement() -> None:
    confined = run_argv(ContainerSpec("c", "h", "image", confined=True, replaces=True))
    assert not [word for word in confined if "security-opt" in word]
    assert confined[-2:] == ["--entrypoint=", "image"]


class Docker:
    """Answers as Docker's client would; `pids` are the first processes of its containers."""

    def __init__(self, *pids: int, log: tuple[str, str] = ("", "")) -> None:
        self.pids, self.log = pids, log
        self.ran: list[tuple[list[str], dict[str, Any]]] = []

    async def __call__(self, argv: Sequence[str], **options: Any) -> Result:
        self.ran.append((list(argv), options))
        out, err = self.log if argv[1] == "logs" else ("", "")
        if argv[1] == "inspect":
            out = "".join(f"id{n} {pid}\n" for n, pid in enumerate(self.pids))
        return Result(tuple(argv), 1 if argv[1] == "logs" else 0, out, err, 0.0)


SPECS = [ContainerSpec("c0", "h0", "image", env={"A": "secret"}), ContainerSpec("c1", "h1", "image")]


async def test_containers_are_told_by_their_names() -> None:
    docker = Docker(7, 8)
    assert await containers.start(SPECS, docker) == {"c0": Started("id0", 7), "c1": Started("id1", 8)}
    assert docker.ran[0] == (run_argv(SPECS[0]), {"on": "h0", "timeout": 60, "env": {"A": "secret"}})
    assert docker.ran[-1][0] == ["docker", "inspect", "--format", "{{.Id}} {{.State.Pid}}", "c0", "c1"]


@pytest.mark.parametrize(
    ("log", "words"),
    [(("one\n", "two\n"), r"h1: its container ended at once: one / two$"), (("", ""), "it said nothing")],
)
async def test_a_container_that_ends_at_once_is_told_with_its_last_words(
    log: tuple[str, str], words: str
) -> None:
    docker = Docker(7, 0, log=log)
    with pytest.raises(HostError, match=words):
        await containers.start(SPECS, docker)
    assert docker.ran[-1] == (["docker", "logs", "--tail", "3", "c1"], {"check": False})


async def test_a_daemon_that_answers_after_a_refusal_is_waited_for(tmp_path: Path) -> None:
    statuses, asked = iter(["503 Busy", "200 OK"]), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.0 {next(statuses)}\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "socket")
    await containers.docker_answers(tmp_path / "socket", "h", "c", Docker())
    assert asked == [b"GET /_ping HTTP/1.0\r\n\r\n"] * 2
    server.close()


@pytest.mark.parametrize("listening", [True, False])
async def test_a_daemon_that_does_not_answer_in_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: bool
) -> None:
    monkeypatch.setattr(containers, "PATIENCE", 0.05)
    with socket.socket(socket.AF_UNIX) as server:
        if not listening:
            server.bind(str(tmp_path / "socket"))  # and nobody listens there
        with pytest.raises(HostTimeout, match=r"h: its Docker daemon gave no answer in 0.05 s: no disk"):
            await containers.docker_answers(tmp_path / "socket", "h", "c", Docker(log=("no disk", "")))


@pytest.mark.parametrize(
    ("out", "err", "said"),
    [("one\ntwo\n", "", "one / two"), ("", " no room \n", "no room"), ("", "\n", "it said nothing")],
)
async def test_the_last_words_of_a_container_are_one_line(out: str, err: str, said: str) -> None:
    async def run(argv: Sequence[str], **options: Any) -> Result:
        assert (list(argv), options) == (["docker", "logs", "--tail", "3", "c"], {"check": False})
        return Result(tuple(argv), 0, out, err, 0.0)

    assert await containers.log_tail("c", run) == said
