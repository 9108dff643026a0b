"""Switches: which datapath they get."""

from __future__ import annotations

from typing import Any

import pytest

from lab.containernet import LinuxBridge, openvswitch, switches
from lab.containernet.nodes import NodeLocation
from lab.errors import LabError
from tests.unit.containernet_backends import CommandBackend


def test_without_its_programs_there_is_a_bridge_and_it_is_said(
    switch: Any, backend: CommandBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(switches, "info", told.append)
    monkeypatch.setattr(openvswitch.shutil, "which", lambda program: None)
    s1 = switch(failMode="standalone", protocols=None)
    assert told == ["s1: a Linux bridge, for Open vSwitch (this machine has no ovsdb-tool)\n"]
    assert backend.done[0].startswith("ip link add s1 type bridge")
    with pytest.raises(LabError, match=r"protocols='OpenFlow13' .* install openvswitch-switch"):
        switch("s2", protocols="OpenFlow13")
    with pytest.raises(LabError, match="switch s1: dpctl is not supported: it is a Linux bridge"):
        s1.dpctl("dump-flows")


def test_a_plain_switch_stays_a_linux_bridge(switch: Any, backend: CommandBackend) -> None:
    LinuxBridge("s1", place=NodeLocation(backend, "/run/netns/x"))  # type: ignore[arg-type]
    assert backend.done[0].startswith("ip link add s1 type bridge")
