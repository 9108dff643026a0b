"""Requests to a host's Docker daemon by its HTTP interface, from the host itself.

Docker's own client takes ten times as long to start, and has secrets in its argv.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.hosts.host import Host, Private, Secret
from overlays.common.batch import Batch

SOCKET = "/var/run/docker.sock"
NOT_FOUND = 404
#: Docker's answer to a network whose name is taken.
EXISTS = 409
#: Docker's answer to a node that is to join a cluster and is in one.
ALREADY = 503


@dataclass(frozen=True)
class ApiResponse:
    """An HTTP status (0: none came), and what came with it; `message` is what Docker said of an error."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        try:
            return str(self.json["message"])
        except (ValueError, KeyError, TypeError):
            return self.text.strip() or "Docker gave no answer"


def argv(method: str, path: str, seconds: float, *, body: bool) -> list[str]:
    """Build the ``curl`` of one request, which prints the answer and, on a line of its own, its status."""
    return [
        *("curl", "-sS", "--max-time", f"{seconds:g}", "--unix-socket", SOCKET, "-X", method),
        *("-w", r"\n%{http_code}", *(["-H", "Content-Type: application/json", "-d", "@-"] if body else [])),
        f"http://docker/{path}",
    ]


async def calls(
    host: Host, requests: Sequence[tuple[str, str, Mapping[str, Any] | None]], *, seconds: float = 60.0
) -> ApiResponse:
    """Make several requests, (method, path, body) each, in one entry of the host.

    The first that fails ends it. Returns the last answer, which is that one's or the last request's.
    """
    batch = Batch()
    for method, path, body in requests:
        command = [*argv(method, path, seconds, body=body is not None), "--fail-with-body"]
        batch.run(command) if body is None else batch.feed(command, json.dumps(body))
        batch.run(["echo"])
    result = await batch.on(host, timeout=seconds * len(requests) + 5, check=False)
    lines = [line for line in result.stdout.splitlines() if line]
    if not lines or not lines[-1].isdigit():
        return ApiResponse(0, result.stderr)
    body_text = lines[-2] if len(lines) > 1 and not lines[-2].isdigit() else ""
    return ApiResponse(int(lines[-1]), body_text)


async def call(
    host: Host,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    seconds: float = 60.0,
    private: bool = False,
    secrets: Mapping[str, str] | None = None,
) -> ApiResponse:
    """Make one request; an error of Docker's is an answer too.

    `private` where the answer holds a secret; `secrets` are those that the body holds, by what they are.
    """
    text = None if body is None else json.dumps(body).encode()
    text = Secret(text, secrets) if text is not None and secrets else text
    command = argv(method, path, seconds, body=text is not None)
    command = Private(command) if private else command
    result = await host.run(command, stdin=text, check=False, timeout=seconds + 5)
    body_text, _, status = result.stdout.rpartition("\n")
    if result.status or not status.isdigit():
        return ApiResponse(0, result.stderr)
    return ApiResponse(int(status), body_text)
