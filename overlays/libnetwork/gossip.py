"""Gossip between the Docker daemons of a cluster of who is where, by Docker's diagnostic port.

A daemon tells a few others of a change (memberlist's gossip), and each half minute one other of
all it knows. Who missed a change, or did not know yet who it was about, waits for that. The
port, which Docker opens on the host's own loopback when it is told to, can have it done at once.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from lab.hosts.host import Host

PORT = 2000
#: How long an exchange with the daemons of all hosts may take (s): some round trips with each.
PATIENCE = 20


async def peers(host: Host) -> set[str]:
    """Return the addresses of the daemons that one knows, itself included."""
    return parse_peers(await _ask(host, "clusterpeers?json"))


async def exchange(host: Host, others: Collection[str]) -> None:
    """Let a daemon and those at these addresses give each other the members and networks that they know."""
    if others:
        await _ask(host, f"join?members={','.join(sorted(others))}")


async def exchange_tables(host: Host, network_id: str) -> None:
    """Let a daemon and all that are on a network give each other their endpoints on it."""
    await _ask(host, f"joinnetwork?nid={network_id}")


async def _ask(host: Host, path: str) -> str:
    """Return the answer; empty when there is none, which the next question or ping brings out."""
    argv = ["curl", "-s", "--max-time", str(PATIENCE), f"http://127.0.0.1:{PORT}/{path}"]
    return (await host.run(argv, timeout=PATIENCE + 5, check=False)).stdout


def parse_peers(answer: str) -> set[str]:
    """Return the addresses in an answer of Docker's; none where it is no such answer."""
    try:
        entries = json.loads(answer)["details"]["entries"]
    except (ValueError, KeyError, TypeError):
        return set()
    return {str(entry["ip"]) for entry in entries or ()}
