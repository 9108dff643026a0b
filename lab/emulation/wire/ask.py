"""A request to the wire's daemon, over the socket in its folder."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.emulation.wire import daemon
from lab.errors import ShaperError

ANSWER_SECONDS = 10.0


def ask(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Send one request to a wire's daemon and return its answer.

    Raises:
        OSError: nobody answers.
        ShaperError: the wire could not do it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(ANSWER_SECONDS)
        client.setsockopt(socket.SOL_SOCKET, daemon.SO_SNDBUFFORCE, daemon.LARGEST)
        client.connect(str(folder / daemon.SOCKET))
        client.send(json.dumps(request).encode())
        answer: dict[str, Any] = json.loads(client.recv(daemon.LARGEST))
    if "error" in answer:
        raise ShaperError(f"the wire could not {request['do']}: {answer['error']}")
    return answer
