"""The server of the page: a real one, at a free port of this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection

import pytest
import uvicorn

from lab.errors import MachineError
from lab.feed.objects import Plain
from lab.feed.watch import stamped
from lab.view import control, questions
from lab.view.listen import bound
from lab.view.server import PageServer

TOKEN = "a-token-of-the-test"
JSON = {"Content-Type": "application/json", "X-Lab-Token": TOKEN}


class Counter:
    """A source that says each time how often it was looked at."""

    looks = 0

    def look(self) -> Sequence[Plain]:
        self.looks += 1
        if self.looks == 2:
            raise MachineError("the second look failed")
        return [stamped("event", level="info", text=f"<img onerror=x> {self.looks}", lab="class")]

    def close(self) -> None: ...


@dataclass
class Running:
    port: int
    source: Counter

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as line:
            line.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = line.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())


@pytest.fixture(scope="module")
def page() -> Iterator[Running]:
    listening, source = bound(0), Counter()
    port = listening.getsockname()[1]
    routes = [*questions.routes(), *control.refused()]
    app = PageServer([source], TOKEN, port, interval=0.05, routes=routes).app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield Running(port, source)
    server.should_exit = True
    thread.join(10)


def test_the_page_is_for_those_who_have_the_token(page: Running) -> None:
    status, html, headers = page.ask(f"/?token={TOKEN}")
    assert status == 200
    assert "<title>lab</title>" in html
    assert TOKEN not in html
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/", "/?token=", "/?token=wrong", "/events?token=wrong", "/path", "/capture/x"]
)
def test_a_wrong_token_gets_nothing(page: Running, path: str) -> None:
    status, text, _ = page.ask(path)
    assert status == 403
    assert "token is missing or wrong" in json.loads(text)["error"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example:80"]
)
def test_another_name_of_this_machine_gets_nothing(page: Running, host: str) -> None:
    assert page.ask(f"/?token={TOKEN}", Host=host)[0] == 403


def test_another_site_gets_nothing(page: Running) -> None:
    assert page.ask(f"/?token={TOKEN}", Origin="http://evil.example")[0] == 403
    assert page.ask(f"/?token={TOKEN}", Origin=f"http://127.0.0.1:{page.port}")[0] == 200
    assert page.ask(f"/?token={TOKEN}", Host=f"localhost:{page.port}")[0] == 200


@pytest.mark.parametrize("path", ["/link", "/capture"])
def test_orders_are_refused_without_control(page: Running, path: str) -> None:
    status, text, _ = page.ask(path, "POST", "{}", **JSON)
    assert status == 403
    assert "--control" in json.loads(text)["error"]


def test_an_order_needs_its_token_in_a_header_and_a_body_of_json(page: Running) -> None:
    assert page.ask(f"/ping?token={TOKEN}", "POST", "{}", Content_Type="application/json")[0] == 403
    assert page.ask("/ping", "POST", "{}", X_Lab_Token=TOKEN, Content_Type="text/plain")[0] == 403
    assert page.ask("/ping", "POST", "x" * 70_000, **JSON)[0] == 403


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"lab": 5}', '{"from": "AMS"}'])
def test_a_question_that_is_none_is_answered_in_a_sentence(page: Running, body: str) -> None:
    status, text, _ = page.ask("/ping", "POST", body, **JSON)
    assert status == 400
    assert json.loads(text)["error"]


def test_a_page_without_a_lab_answers_no_question_about_one(page: Running) -> None:
    status, text, _ = page.ask(f"/path?token={TOKEN}&from=AMS&to=PRG")
    assert status == 400
    assert "its lab is not here" in json.loads(text)["error"]


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/vendor", "/static/"]
)
def test_only_files_of_the_page_are_served(page: Running, path: str) -> None:
    assert page.ask(path)[0] == 404
    assert page.ask("/static/view.js")[2]["content-type"].startswith("text/javascript")


def test_no_answer_names_other_answers(page: Running) -> None:
    assert page.ask(f"/nothing?token={TOKEN}")[0] == 404


def test_events_come_as_they_happen_to_two_pages_and_an_error_is_one(page: Running) -> None:
    with closing(HTTPConnection("127.0.0.1", page.port, timeout=10)) as one:
        one.request("GET", f"/events?token={TOKEN}")
        first = one.getresponse()
        assert first.getheader("content-type", "").startswith("text/event-stream")
        texts = [event(first.fp) for _ in range(3)]
        assert texts == ["<img onerror=x> 1", "the second look failed", "<img onerror=x> 3"]
        with closing(HTTPConnection("127.0.0.1", page.port, timeout=10)) as two:
            two.request("GET", f"/events?token={TOKEN}")
            assert event(two.getresponse().fp) == "<img onerror=x> 1"


def event(file: object) -> str:
    """The text of the next event of a stream, past the lengths of its parts."""
    while True:
        line = file.readline().decode()  # type: ignore[attr-defined]
        assert line, "the stream ended"
        if line.startswith("data: "):
            return str(json.loads(line[6:])["text"])


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(MachineError, match=r"cannot be used .*give another with --port"):
            bound(other.getsockname()[1])
