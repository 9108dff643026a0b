"""Answers of Docker's HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from lab.hosts.host import Private, Result, Secret
from overlays.common import docker_api
from tests.unit.fakes import FakeHost


class TestDockerApi:
    """Answers as ``curl -w`` prints them."""

    @staticmethod
    async def ask(status: int, printed: str) -> docker_api.ApiResponse:
        return await docker_api.call(FakeHost("AMS", lambda argv: (status, printed)), "GET", "x")  # type: ignore[arg-type]

    async def test_an_answer_is_its_status_and_its_text(self) -> None:
        said = await self.ask(0, '{"Driver":"overlay"}\n200')
        assert (said.ok, said.json) == (True, {"Driver": "overlay"})

    async def test_docker_s_own_words_are_kept_of_an_error(self) -> None:
        said = await self.ask(0, '{"message":"network lab not found"}\n404')
        assert (said.ok, said.message) == (False, "network lab not found")

    @staticmethod
    async def ask_twice(status: int, printed: str) -> docker_api.ApiResponse:
        host: Any = FakeHost("AMS", lambda argv: (status, printed))
        return await docker_api.calls(host, [("POST", "x", {}), ("GET", "x", None)])

    async def test_of_several_requests_the_last_answer_counts(self) -> None:
        said = await self.ask_twice(0, '{"Id":"1"}\n\n201\n{"Name":"x"}\n\n200\n')
        assert (said.status, said.json) == (200, {"Name": "x"})
        said = await self.ask_twice(0, '{"Id":"1"}\n\n201\n\n204\n')
        assert (said.ok, said.status, said.text) == (True, 204, "")

    async def test_the_first_of_several_requests_that_fails_tells_why(self) -> None:
        said = await self.ask_twice(22, '{"Id":"1"}\n\n201\n{"message":"no such network"}\n\n404')
        assert (said.ok, said.message) == (False, "no such network")
        assert not (await self.ask_twice(7, "")).ok

    async def test_no_answer_is_an_error_too(self) -> None:
        said = await self.ask(7, "\n000")
        assert (said.ok, said.status, said.message) == (False, 0, "Docker gave no answer")


class Asked(FakeHost):
    """Keeps how it was asked."""

    def __init__(self, status: int = 0, printed: str = "{}\n200") -> None:
        super().__init__("AMS")
        self.status, self.printed = status, printed
        self.options: list[tuple[Sequence[str], dict[str, Any]]] = []

    async def run(self, argv: Sequence[str], **options: Any) -> Result:
        self.options.append((argv, options))
        return Result(tuple(argv), self.status, self.printed, "words", 0.0)


CURL = ["curl", "-sS", "--max-time", "7", "--unix-socket", "/var/run/docker.sock", "-X"]


async def test_a_request_with_a_body_sends_it_by_its_input() -> None:
    host: Any = Asked()
    await docker_api.call(host, "POST", "x", {"a": 1}, seconds=7)
    ((argv, options),) = host.options
    json_type = ["-H", "Content-Type: application/json", "-d", "@-"]
    assert argv == [*CURL, "POST", "-w", r"\n%{http_code}", *json_type, "http://docker/x"]
    assert options == {"stdin": b'{"a": 1}', "check": False, "timeout": 12}
    assert (type(argv), type(options["stdin"])) == (list, bytes)


async def test_a_request_without_a_body_and_a_secret_answer() -> None:
    host: Any = Asked()
    await docker_api.call(host, "GET", "x", seconds=7, private=True)
    ((argv, options),) = host.options
    assert argv == [*CURL, "GET", "-w", r"\n%{http_code}", "http://docker/x"]
    assert (type(argv), options["stdin"]) == (Private, None)


async def test_secrets_of_a_body_are_named() -> None:
    host: Any = Asked()
    await docker_api.call(host, "POST", "x", {"token": "t0ken"}, secrets={"the token": "t0ken"})
    stdin = host.options[0][1]["stdin"]
    assert isinstance(stdin, Secret)
    assert (dict(stdin.secrets), json.loads(stdin)) == ({"the token": "t0ken"}, {"token": "t0ken"})


@pytest.mark.parametrize(("status", "printed"), [(7, "{}\n200"), (0, "{}\n2x0"), (0, ""), (28, "\n000")])
async def test_an_answer_that_did_not_come_whole_is_none(status: int, printed: str) -> None:
    said = await docker_api.call(Asked(status, printed), "GET", "x")  # type: ignore[arg-type]
    assert (said.status, said.message) == (0, "words")


@pytest.mark.parametrize(("status", "ok"), [(199, False), (200, True), (299, True), (300, False)])
def test_which_answers_are_good(status: int, ok: bool) -> None:
    assert docker_api.ApiResponse(status, "").ok is ok


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"message": "gone"}', "gone"),
        ('{"other": 1}', '{"other": 1}'),
        ("[1]", "[1]"),
        (" no words of JSON \n", "no words of JSON"),
        ("", "Docker gave no answer"),
    ],
)
def test_what_docker_says_of_an_error(text: str, message: str) -> None:
    assert docker_api.ApiResponse(500, text).message == message


async def test_requests_that_follow_each_other_are_one_entry() -> None:
    host: Any = Asked(printed="{}\n200\n")
    said = await docker_api.calls(host, [("POST", "x", {}), ("GET", "y", None)], seconds=7)
    assert (said.status, said.text) == (200, "{}")
    ((_, options),) = host.options
    assert (options["timeout"], options["check"]) == (19, False)
    script = options["stdin"].decode()
    assert script.count("--fail-with-body") == 2
    assert script.count("\necho") == 2
    assert "-d @- http://docker/x" in script
    assert "'\\n%{http_code}' http://docker/y" in script
