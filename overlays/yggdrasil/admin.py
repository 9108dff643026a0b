"""The answers of a Yggdrasil node on its admin socket, as ``yggdrasilctl -json`` prints them (0.4).

A node knows its place in the tree (``coords``: the ports from the root down to it), its peers, each behind a
port of its own, and for everyone to whom it has sent of late the path: the port to take at each node on the
way, and a 0 for the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: In this order a host is asked, and prints the answers.
ASKED = ("getself", "getpeers", "getpaths")


@dataclass(frozen=True)
class YggdrasilNode:
    """A node's own status; `peers` are their addresses by port, `paths` lists of ports by address."""

    address: str = ""
    coords: tuple[int, ...] = ()
    peers: Mapping[int, str] = field(default_factory=dict)
    paths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def next_hop(self, address: str) -> str | None:
        """Return the next hop for an address; None while no path is known."""
        path = self.paths.get(address)
        return self.peers.get(path[0]) if path else None


def documents(printed: str) -> list[Any]:
    """Return the JSON documents of a text, one after the other; leave out a truncated one."""
    decoder, found, at = json.JSONDecoder(), list[Any](), 0
    while (start := printed.find("{", at)) >= 0:
        try:
            document, at = decoder.raw_decode(printed, start)
        except ValueError:
            break
        found.append(document)
    return found


def node(printed: str) -> YggdrasilNode:
    """Read what a host printed to the questions of `ASKED`; an empty node where it did not answer all."""
    said = documents(printed)
    if len(said) != len(ASKED):
        return YggdrasilNode()
    own, peers, paths = said
    return YggdrasilNode(
        own["address"],
        _ports(own.get("coords")),
        {int(peer["port"]): peer["address"] for peer in peers["peers"] or () if peer.get("address")},
        {path["address"]: _ports(path["path"]) for path in paths["paths"] or () if path["path"]},
    )


def _ports(numbers: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(int(number) for number in numbers or ())
