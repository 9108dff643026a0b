"""Overlays by name, with options."""

from __future__ import annotations

import pytest

from lab.errors import OverlayError, UnknownName
from lab.hosts.base import HostFacts
from overlays import options
from overlays.base import Overlay

OWN = {"flannel", "libnetwork", "tinc", "underlay", "weave"}


def test_the_lab_has_its_own_overlays_and_no_helper_among_them() -> None:
    assert set(options.names()) >= OWN
    assert not {"base", "options", "support"} & set(options.names())


@pytest.mark.parametrize("name", sorted(OWN))
def test_every_overlay_says_what_it_is(name: str) -> None:
    kind = options.load(name)

    assert kind.name == name
    assert kind.summary
    assert kind.modes
    assert kind.hops in ("overlay", "routed underlay")
    for option in kind.options:
        assert option.help
        assert not option.values or option.default in option.values


def test_options_are_read_and_the_rest_is_default() -> None:
    overlay = options.parse("weave:mode=auto,encryption=on")

    assert overlay.settings["mode"] == "auto"
    assert overlay.settings["encryption"] == "on"
    assert overlay.settings["mtu"] == "1376"


def test_an_unknown_overlay_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'flannel'"):
        options.parse("flanel")


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("weave:mood=sleeve", "mode=sleeve|fastdp|auto"),
        ("weave:mode", "mode=sleeve|fastdp|auto"),
        ("weave:mode=quick", "sleeve, fastdp, auto"),
        ("weave:mtu=big", "it is a number"),
        ("flannel:backend=vlan", "vxlan, udp, host-gw, ipip, wireguard"),
        ("underlay:mode=x", "it has none"),
    ],
)
def test_a_wrong_option_or_value_lists_the_right_ones(text: str, listed: str) -> None:
    with pytest.raises(OverlayError) as caught:
        options.parse(text)
    assert listed in str(caught.value)


def test_modes_that_a_kernel_cannot_do_are_told_from_those_that_it_can() -> None:
    facts = HostFacts("6.1", "x86_64", (), frozenset({"vxlan", "ifb"}), frozenset({"tincd"}))

    assert options.modes(options.load("weave"), facts)["sleeve"] is None
    assert "Open vSwitch" in options.modes(options.load("weave"), facts)["fastdp"].what  # type: ignore[union-attr]
    lacking = {m for m, missing in options.modes(options.load("flannel"), facts).items() if missing}
    assert lacking == {"ipip", "wireguard"}
    assert options.modes(options.load("tinc"), facts) == {"switch": None}


def test_libnetwork_cannot_encrypt_in_kv_mode() -> None:
    with pytest.raises(OverlayError, match="only in mode=swarm"):
        options.parse("libnetwork:mode=kv,encryption=on")


def test_an_overlay_of_somebody_else_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a distribution that registers an overlay
    class Point:
        name = "theirs"

        @staticmethod
        def load() -> type[Overlay]:
            return options.load("underlay")

    monkeypatch.setattr(options, "entry_points", lambda group: [Point] if group == options.GROUP else [])

    # then it is listed and can be asked for
    assert "theirs" in options.names()
    assert isinstance(options.parse("theirs"), options.load("underlay"))


def test_what_is_registered_and_is_no_overlay_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "wrong"

        @staticmethod
        def load() -> object:
            return dict

    monkeypatch.setattr(options, "entry_points", lambda group: [Point])
    with pytest.raises(OverlayError, match="no subclass"):
        options.load("wrong")
