"""The log of a Nebula daemon, a JSON object a line, and the certificates that ``nebula-cert`` prints.

A tunnel's last handshake says by which way it goes: the message came from an address of the underlay, or from
none (null) where a relay passed it on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

RECEIVED = "Handshake message received"
#: What a daemon writes when the one at the other end says that it ends.
CLOSED = "Close tunnel received"
DIRECT, RELAYED = "direct", "relayed"
_CERTIFICATE = re.compile(
    r"-----BEGIN NEBULA CERTIFICATE-----.*?-----END NEBULA CERTIFICATE-----\n", re.DOTALL
)


def certificates(printed: str) -> list[str]:
    """Return the certificates of a text that has several, one after the other."""
    return _CERTIFICATE.findall(printed)


def tunnels(log: str) -> dict[str, str]:
    """Return by a host's address in the overlay how the tunnel to it goes: `DIRECT` or `RELAYED`."""
    found: dict[str, str] = {}
    for line in _lines(log):
        said, address = str(line.get("msg")), line.get("vpnIp")
        if said == RECEIVED and address:
            found[address] = DIRECT if line.get("udpAddr") else RELAYED
        elif said.startswith(CLOSED):
            found.pop(str(address), None)
    return found


def _lines(log: str) -> Iterator[dict[str, Any]]:
    """Return the lines that are whole; the first and the last may be cut off."""
    for text in log.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
