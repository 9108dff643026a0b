"""Networks and switches on backends that make nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.containernet import Containernet, OVSSwitch, net, openvswitch
from lab.containernet.nodes import NodeLocation
from tests.unit.containernet_backends import CommandBackend, FakeBackend


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(net, "Backend", FakeBackend)
    monkeypatch.setattr(net.os, "geteuid", lambda: 0)

    monkeypatch.setattr(net.exit_cleanup, "register", lambda emulation: None)
    monkeypatch.setattr(openvswitch, "lacking", lambda: ["ovsdb-tool"])

    def build(**params: Any) -> Any:
        return Containernet(**params)

    return build


@pytest.fixture
def backend(tmp_path: Path) -> CommandBackend:
    return CommandBackend(tmp_path)


@pytest.fixture
def switch(backend: CommandBackend, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(openvswitch.shutil, "which", lambda program: f"/usr/bin/{program}")

    def make(name: str = "s1", **params: Any) -> Any:
        return OVSSwitch(name, place=NodeLocation(backend, "/run/netns/x"), **params)  # type: ignore[arg-type]

    return make
