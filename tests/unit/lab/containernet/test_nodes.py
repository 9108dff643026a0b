"""Nodes of a Containernet network: how their commands get into their network."""

from __future__ import annotations

from typing import Any

from lab import containernet
from lab.containernet.nodes import NodeLocation, enter
from tests.unit.containernet_backends import FakeBackend


def test_a_shell_enters_only_the_network_of_a_node() -> None:
    there = ["nsenter", "--net=/run/netns/x", "--"]
    shell = ["mnexec", "-cdn", "env", "PS1=\x7f", "bash"]
    assert enter(shell, "/run/netns/x") == ["setsid", "--ctty", *there, "env", "PS1=\x7f", "bash"]
    assert enter(["mnexec", "-da", "42", "ping", "x"], "/run/netns/x") == ["setsid", *there, "ping", "x"]
    assert enter(["docker", "exec", "c", "ls"], "/run/netns/x") == ["setsid", "docker", "exec", "c", "ls"]


def test_a_plain_host_is_shown_as_mininet_shows_it() -> None:
    class Router(containernet.Host):
        pass

    place: Any = NodeLocation(FakeBackend(), "/run/netns/x")  # type: ignore[arg-type]
    assert repr(containernet.Host("h1", place=place)).startswith("<Host h1:  pid=")
    assert repr(Router("r0", place=place)).startswith("<Router r0:  pid=")
