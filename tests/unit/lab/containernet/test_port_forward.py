"""Ports of containers on this machine: what docker-py lets one say."""

from __future__ import annotations

from typing import Any

import pytest

from lab.containernet import port_forward
from lab.errors import TopologyError


@pytest.mark.parametrize(
    ("ports", "port_bindings", "everything", "found"),
    [
        ([], {}, False, []),
        ([9999], {9999: 9999}, False, [(9999, "127.0.0.1", 9999)]),
        ([], {"80/tcp": ("0.0.0.0", 8080)}, False, [(80, "0.0.0.0", 8080)]),
        ([], {80: None}, False, [(80, "127.0.0.1", 0)]),
        ([], {80: [8080, 8081]}, False, [(80, "127.0.0.1", 8080), (80, "127.0.0.1", 8081)]),
        (
            [80, (443, "tcp")],
            {80: 8080},
            True,
            [(80, "127.0.0.1", 8080), (443, "127.0.0.1", 0), (22, "127.0.0.1", 0)],
        ),
        ([80], {}, False, []),
    ],
)
def test_ports_are_published_as_asked(ports: Any, port_bindings: Any, everything: bool, found: Any) -> None:
    assert port_forward.bindings("d1", ports, port_bindings, ["22/tcp"], everything) == found


@pytest.mark.parametrize("port", ["53/udp", (53, "udp"), 0, 70000, "http"])
def test_only_tcp_ports_are_published(port: Any) -> None:
    with pytest.raises(TopologyError, match=r"'d1': .* is no TCP port"):
        port_forward.bindings("d1", [], {port: 1}, [], everything=False)
