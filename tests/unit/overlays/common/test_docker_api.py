"""Answers of Docker's HTTP interface."""

from __future__ import annotations

from typing import Any

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
