"""`lab list overlays`: what can run here, and what is missing for the rest."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lab.cli.main import app
from lab.hosts import facts as kernel
from lab.hosts.host import HostFacts
from overlays import registry
from overlays.weave import router


def listed(monkeypatch: pytest.MonkeyPatch, facts: HostFacts | None) -> str:
    async def answer() -> HostFacts | None:
        return facts

    monkeypatch.setattr(kernel, "of_this_machine", answer)
    monkeypatch.setattr(router, "program", lambda: None)
    done = CliRunner().invoke(app, ["list", "overlays"])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_overlay_has_its_modes_and_what_is_missing_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    said = listed(monkeypatch, HostFacts("6.1", "x86_64", (20, 10), frozenset({"vxlan", "ifb"})))

    for name in registry.names():
        kind = registry.load(name)
        assert f"  {name:<16} {kind.summary}" in said
        assert all(f"mode {mode}: " in said for mode in kind.modes)
    assert "mode sleeve: this kernel can" in said
    assert "mode fastdp: a host here lacks Open vSwitch in its kernel; load the openvswitch module" in said
    assert "mode wireguard: a host here lacks the link kind 'wireguard' in its kernel; load" in said


def test_what_only_a_switch_of_a_mode_needs_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = listed(monkeypatch, HostFacts("6.1", "x86_64", (20, 10), frozenset({"vxlan", "ifb"})))

    assert "mode swarm with encryption=on: a host here lacks IPsec's ESP" in said
    assert "mode kv with encryption=on: libnetwork encrypts only in mode=swarm" in said
    assert "mode sleeve with encryption=on" not in said, "sleeve encrypts by itself"
    able = HostFacts("6.1", "x86_64", (), frozenset({"vxlan", "dummy"}), features=frozenset({"esp"}))
    assert "mode swarm with" not in listed(monkeypatch, able)


def test_a_program_that_is_nowhere_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = listed(monkeypatch, HostFacts("6.1", "x86_64", ()))
    assert "not obtainable here: no Weave router's program is here; put the router's program on PATH" in said


def test_where_the_kernel_cannot_be_asked_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "modes sleeve, fastdp: this kernel lets only root try them" in listed(monkeypatch, None)
