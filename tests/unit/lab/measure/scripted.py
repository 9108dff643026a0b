"""Endpoints that answer from a script."""

from __future__ import annotations

from typing import Any

from lab.hosts.host import Endpoint
from tests.unit.fakes import FakeHost


def endpoint(answer: Any, name: str = "AMS") -> Endpoint:
    return Endpoint(FakeHost(name, answer), "c", f"192.0.2.{len(name)}", overlay="fake")  # type: ignore[arg-type]


def ran(one: Endpoint) -> list[str]:
    """The commands that an endpoint's host was given."""
    host = one.host
    assert isinstance(host, FakeHost)
    return [" ".join(argv) for argv in host.ran]
