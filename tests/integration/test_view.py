"""The feed and the page's server on a real lab of three light hosts: changes are seen within two seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from lab.emulation.registry import Record, find
from lab.feed.objects import adapter
from lab.feed.watch import LabWatch
from lab.hosts.daemons import PIDS
from lab.live.enter import entry
from tests.paths import ROOT

NAME = "view-test"
PATIENCE = 10.0


def lab(*argv: str) -> str:
    """Run a verb to its end, and return what it printed."""
    words = [sys.executable, "-m", "lab", *argv]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:
    lab("up", "linear:sites=AMS+PRG+BRA", "--daemons", "none", "--name", NAME)
    yield find(NAME)
    lab("down", NAME)


def on_host(record: Record, host: str, script: str) -> None:
    way = entry(record, host)
    argv = way.command(["sh", "-c", script])
    subprocess.run(argv, env=dict(way.environment()), check=True, timeout=20)


def until(watch: LabWatch, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look twice a second until an object comes that fits; every object fits the schema."""
    check, deadline = adapter(), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for plain in watch.look():
            check.validate_python(plain)
            if seen(plain):
                return plain
        time.sleep(0.5)
    raise AssertionError("it was not seen")


def test_the_feed_shows_links_a_change_and_a_daemon_that_was_killed(record: Record) -> None:
    watch = LabWatch(NAME)
    first = until(watch, lambda one: one["kind"] == "lab")
    assert [link["id"] for link in first["topology"]["links"]] == ["AMS-PRG", "PRG-BRA"]
    # a round trip as asked is measured on every link
    rows = until(watch, lambda one: one["kind"] == "links" and all(row[4] for row in one["rows"]))["rows"]
    assert rows[0][4] == pytest.approx(21.75, abs=3)

    lab("link", "PRG-BRA", "--delay", "30", "--lab", NAME)
    start = time.monotonic()
    changed = until(watch, lambda one: one["kind"] == "links" and "asked" in one)
    assert time.monotonic() - start < 2
    assert changed["asked"]["1"]["asked"]["delay_ms"] == 30.0
    until(watch, lambda one: one["kind"] == "links" and any(abs((r[4] or 0) - 60) < 3 for r in one["rows"]))

    on_host(record, "AMS", f"mkdir -p {PIDS}; sleep 300 & echo $! > {PIDS}/sleeper.pid")
    ran = until(watch, lambda one: one["kind"] == "host" and bool(one["daemons"]))
    assert ran["daemons"] == [{"name": "sleeper", "state": "runs"}]
    on_host(record, "AMS", f"kill -9 $(cat {PIDS}/sleeper.pid)")
    start = time.monotonic()
    ended = until(watch, lambda one: one["kind"] == "host")
    assert time.monotonic() - start < 2
    assert (ended["host"], ended["daemons"][0]["state"]) == ("AMS", "ended")
    on_host(record, "AMS", f"rm {PIDS}/sleeper.pid")
    watch.close()


class Page:
    """A page's server, and questions to it."""

    def __init__(self, *options: str) -> None:
        argv = [sys.executable, "-m", "lab", "view", NAME, *options]
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        self.host, _, self.token = address.removeprefix("http://").partition("/?token=")

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"X-Lab-Token": self.token, "Content-Type": "application/json"}
        with closing(HTTPConnection(self.host, timeout=30)) as line:
            text = None if body is None else json.dumps(body)
            line.request("GET" if body is None else "POST", path, text, headers)
            answer: dict[str, Any] = json.loads(line.getresponse().read())
        return answer

    def end(self) -> None:
        """End the server while a page reads its events; it says nothing."""
        assert self.process.stdout is not None
        with closing(HTTPConnection(self.host, timeout=10)) as line:
            line.request("GET", f"/events?token={self.token}")
            line.getresponse()
            self.process.terminate()
            assert self.process.wait(20) == 0
        assert self.process.stdout.read() == ""


@pytest.fixture(scope="module")
def page(record: Record) -> Iterator[Page]:
    made = Page("--control")
    yield made
    made.end()


def test_control_changes_a_link_as_it_reads_back(page: Page) -> None:
    answer = page.ask("/link", {"id": "AMS-PRG", "delay_ms": 25, "rate_mbit_s": 50, "from": "AMS"})
    assert (answer["delay_ms"], answer["rate_mbit_s"]) == (25.0, 50.0)
    shown = json.loads(lab("ps", NAME, "--json"))[0]["links"][0]
    assert shown["asked_rtt_ms"] == pytest.approx(25 + 21.75 / 2, abs=0.01)
    assert "cannot be so" in page.ask("/link", {"id": "AMS-PRG", "loss_percent": 500})["error"]
    assert "unknown lab of this page" in page.ask("/link", {"lab": "other", "id": "x", "down": True})["error"]


def test_a_path_and_a_ping_are_measured(page: Page) -> None:
    assert page.ask("/path?from=BRA&to=PRG") == {"underlay": ["BRA", "PRG"], "overlay": None}
    assert page.ask("/ping", {"from": "PRG", "to": "BRA"})["rtt_ms"] == pytest.approx(60, abs=10)
    assert "unknown host" in page.ask("/ping", {"from": "PRG", "to": "<b>"})["error"]


def test_a_capture_can_be_had(page: Page) -> None:
    made = page.ask("/capture", {"id": "AMS-PRG", "seconds": 0.3})
    with closing(HTTPConnection(page.host, timeout=10)) as line:
        line.request("GET", f"/capture/{made['name']}?token={page.token}")
        data = line.getresponse().read()
    assert data[:4] == b"\x0a\x0d\x0d\x0a", "a section of pcapng"


def test_a_shell_runs_in_the_host_and_ends_with_it(page: Page) -> None:
    address, origin = f"ws://{page.host}/shell?lab={NAME}&host=PRG&token={page.token}", f"http://{page.host}"
    with connect(address, origin=origin) as socket:  # type: ignore[arg-type]
        socket.send(json.dumps({"resize": [97, 24]}))
        socket.send(b"stty size; ip -o addr show eth1; exit\n")
        said = b""
        with suppress(ConnectionClosed):
            while True:
                piece = socket.recv(PATIENCE)
                said += piece if isinstance(piece, bytes) else piece.encode()
    assert b"24 97" in said
    assert b"192.168." in said


def test_a_shell_whose_page_has_gone_ends(page: Page, record: Record) -> None:
    address = f"ws://{page.host}/shell?lab={NAME}&host=BRA&token={page.token}"
    with connect(address, origin=f"http://{page.host}") as socket:  # type: ignore[arg-type]
        socket.send(b"sleep 4321\n")
    deadline = time.monotonic() + PATIENCE
    while subprocess.run(["pgrep", "-f", "sleep 4321"], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline, "its program still runs"
        time.sleep(0.2)


def test_a_lab_that_goes_while_the_page_is_open_is_told_and_the_page_stays() -> None:
    lab("up", "point_to_point", "--daemons", "none", "--name", f"{NAME}-2")
    watch = LabWatch(f"{NAME}-2")
    until(watch, lambda one: one["kind"] == "lab" and one["state"] == "up")
    lab("down", f"{NAME}-2")
    until(watch, lambda one: one["kind"] == "lab" and one["state"] == "gone")
    assert watch.look() == []
