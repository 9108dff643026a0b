"""A headless browser for tests of pages: Chromium, told what to do over a pipe (DevTools protocol).

No driver and no port: commands are JSON, each ended by a zero byte, on the browser's file
descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: The sandbox needs privileges that containers lack; what is opened here is a page of our own.
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
#: Puts the two ends of the pipes where the browser expects them, and becomes the browser.
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
#: What of the console makes a page faulty.
ERRORS = ("Runtime.exceptionThrown", "Log.entryAdded")


def program() -> str | None:
    """The browser of this machine, if it has one that is known here."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """A page in the browser, and everything that it complained of or asked the network for."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer, self._rest, self._last = reader, writer, b"", 0
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._seen: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its answer; events that come before it are noted."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                found: dict[str, Any] = answer["result"]
                return found

    def open(self, page: Path | str, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Load a file, or an address, and wait until it has loaded."""
        phone = width < 500
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="screen", features=[scheme])
        self._seen.clear()
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while "Page.loadEventFired" not in self._seen:
            self._receive()

    def value(self, expression: str) -> Any:
        """What an expression comes to on the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = 10.0) -> float:
        """Wait until an expression is true on the page, and return how long it took (s)."""
        begun = time.monotonic()
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < begun + seconds, f"not within {seconds} s: {expression}"
            time.sleep(0.05)
        return time.monotonic() - begun

    def press(self, key: str) -> None:
        """A key of the keyboard, down and up."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            words = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
            self.ask("Input.dispatchKeyEvent", **words, **(text if kind == "keyDown" else {}))

    def on_paper(self) -> None:
        """As it is printed, on A4."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=794, height=1123, deviceScaleFactor=1, mobile=False
        )
        self.ask("Emulation.setEmulatedMedia", media="print")

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._reader, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        one, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(one)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        self._seen.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"][:80])
        elif method in ERRORS or (method == "Runtime.consoleAPICalled" and params["type"] == "error"):
            self.complaints.append(json.dumps(params)[:500])


@contextmanager
def browser() -> Iterator[Tab]:
    """A browser with one tab; it and its profile are gone afterwards."""
    found = program()
    assert found is not None
    to_browser, from_browser = os.pipe(), os.pipe()
    theirs = (to_browser[0], from_browser[1])
    # helpers of the browser may write to its profile a moment longer than it lives itself
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        argv = [found, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        launcher = [sys.executable, "-c", LAUNCHER, *map(str, theirs), *argv]
        process = subprocess.Popen(launcher, pass_fds=theirs, stderr=subprocess.DEVNULL)
        for descriptor in theirs:
            os.close(descriptor)
        try:
            yield Tab(from_browser[0], to_browser[1])
        finally:
            process.terminate()
            process.wait(20)
            for descriptor in (from_browser[0], to_browser[1]):
                os.close(descriptor)
