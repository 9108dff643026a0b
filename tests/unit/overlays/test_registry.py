"""Overlays by name, with options."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.cli.main import app
from lab.errors import OverlayError, UnknownName
from lab.hosts.host import HostFacts
from overlays import registry
from overlays.base import Overlay

BOTH = frozenset({"tun", "bridge-nf"})
OWN = {"flannel", "libnetwork", "tinc", "underlay", "weave"}


def test_the_lab_has_its_own_overlays_and_no_helper_among_them() -> None:
    assert set(registry.names()) >= OWN
    assert not {"base", "registry", "common"} & set(registry.names())


@pytest.mark.parametrize("name", sorted(OWN))
def test_every_overlay_says_what_it_is(name: str) -> None:
    kind = registry.load(name)

    assert kind.name == name
    assert kind.summary
    assert kind.modes
    assert kind.hops in ("overlay", "routed underlay")
    for option in kind.options:
        assert option.help
        assert not option.values or option.default in option.values


def test_options_are_read_and_the_rest_is_default() -> None:
    overlay = registry.parse("weave:mode=auto,encryption=on")

    assert overlay.settings["mode"] == "auto"
    assert overlay.settings["encryption"] == "on"
    assert overlay.settings["mtu"] == "1376"


def test_an_unknown_overlay_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'flannel'"):
        registry.parse("flanel")


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("weave:mood=sleeve", "mode=auto|fastdp|sleeve"),
        ("weave:mode", "mode=auto|fastdp|sleeve"),
        ("weave:mode=quick", "auto, fastdp, sleeve"),
        ("weave:mtu=big", "it is a number"),
        ("flannel:backend=vlan", "vxlan, udp, host-gw, ipip, wireguard"),
        ("underlay:mode=x", "it has none"),
    ],
)
def test_a_wrong_option_or_value_lists_the_right_ones(text: str, listed: str) -> None:
    with pytest.raises(OverlayError) as caught:
        registry.parse(text)
    assert listed in str(caught.value)


def test_modes_that_a_kernel_cannot_do_are_told_from_those_that_it_can() -> None:
    has = frozenset({"vxlan", "ifb"})
    facts = HostFacts("6.1", "x86_64", (), has, frozenset({"tincd"}), BOTH)

    assert registry.modes(registry.load("weave"), facts)["sleeve"] is None
    assert "Open vSwitch" in registry.modes(registry.load("weave"), facts)["fastdp"].what  # type: ignore[union-attr]
    lacking = {m for m, missing in registry.modes(registry.load("flannel"), facts).items() if missing}
    assert lacking == {"ipip", "wireguard"}
    assert registry.modes(registry.load("tinc"), facts) == {"switch": None}


def test_libnetwork_cannot_encrypt_in_kv_mode() -> None:
    with pytest.raises(OverlayError, match="only in mode=swarm"):
        registry.parse("libnetwork:mode=kv,encryption=on")


def test_an_overlay_of_somebody_else_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a distribution that registers an overlay
    class Point:
        name, dist = "theirs", None
        value = "theirs:Theirs"

        @staticmethod
        def load() -> type[Overlay]:
            return registry.load("underlay")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point] * (group == "lab.overlays"))

    # then it is listed and can be asked for
    assert "theirs" in registry.names()
    assert isinstance(registry.parse("theirs"), registry.load("underlay"))


def test_an_overlay_of_another_distribution_is_found_once_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # given a distribution as an installer leaves it: a module, and what it registers
    (tmp_path / "theirs_net.py").write_text(THEIRS)
    info = tmp_path / "theirs_net-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs-net\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lab.overlays]\ntheirs = theirs_net:Theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    # then it can be asked for, with its options, and stands in the list
    assert registry.parse("theirs:colour=red").settings == {"colour": "red"}
    with pytest.raises(OverlayError, match="it is one of red, blue"):
        registry.parse("theirs:colour=green")
    listed = CliRunner().invoke(app, ["list", "overlays"])
    assert "somebody else's overlay" in listed.output
    assert "colour=red|blue" in listed.output


THEIRS = """
from overlays.base import Option
from overlays.underlay import Underlay


class Theirs(Underlay):
    name, summary, options = "theirs", "somebody else's overlay", (Option("colour", "blue", ("red", "blue")),)
"""


def test_what_a_machine_lacks_beside_kinds_of_links_is_named() -> None:
    bare = HostFacts("6.1", "x86_64", (), frozenset({"vxlan"}))

    assert {m.what for m in registry.parse("tinc").prerequisites(bare)} == {
        "the program tincd",
        "the device /dev/net/tun",
    }
    lacking = registry.parse("flannel:backend=udp").prerequisites(bare)
    assert [m.remedy for m in lacking] == ["load the tun module", "load the br_netfilter module"]
