"""What users write after an overlay's name: its modes and options are an interface, and stay as they are."""

from __future__ import annotations

import pytest

from overlays import registry

#: Modes; how packets get over several hops, whether a process carries them, whether they are encrypted, all
#: without options; and per option its default, its values, and whether it is a number.
INTERFACES = {
    "flannel": (
        ("vxlan", "udp", "host-gw", "ipip", "wireguard"),
        ("routed underlay", False, False),
        [
            ("backend", "vxlan", ("vxlan", "udp", "host-gw", "ipip", "wireguard"), False),
            ("directrouting", "off", ("on", "off"), False),
            ("subnet", "10.100.0.0/16", (), False),
        ],
    ),
    "libnetwork": (
        ("kv", "swarm"),
        ("routed underlay", False, False),
        [
            ("mode", "auto", ("auto", "kv", "swarm"), False),
            ("encryption", "off", ("on", "off"), False),
            ("subnet", "10.50.0.0/16", (), False),
        ],
    ),
    "nebula": (
        ("direct", "relayed"),
        ("routed underlay", True, True),
        [
            ("relays", "off", ("on", "off"), False),
            ("cipher", "aes", ("aes", "chachapoly"), False),
            ("mtu", "1300", (), True),
            ("subnet", "10.90.0.0/16", (), False),
        ],
    ),
    "tinc": (
        ("switch",),
        ("overlay", True, False),
        [
            ("encryption", "off", ("on", "off"), False),
            ("mtu", "1376", (), True),
            ("subnet", "10.60.0.0/16", (), False),
        ],
    ),
    "underlay": (
        ("routed",),
        ("routed underlay", False, False),
        [],
    ),
    "weave": (
        ("sleeve", "fastdp"),
        ("overlay", True, False),
        [
            ("mode", "auto", ("auto", "fastdp", "sleeve"), False),
            ("encryption", "off", ("on", "off"), False),
            ("mtu", "1376", (), True),
            ("subnet", "10.32.0.0/12", (), False),
        ],
    ),
    "wireguard": (
        ("kernel", "user"),
        ("routed underlay", False, True),
        [
            ("mode", "auto", ("auto", "kernel", "user"), False),
            ("topology", "mesh", ("mesh", "neighbours"), False),
            ("mtu", "1420", (), True),
            ("subnet", "10.70.0.0/16", (), False),
        ],
    ),
    "yggdrasil": (
        ("tcp",),
        ("overlay", True, True),
        [
            ("mtu", "1376", (), True),
            ("subnet", "10.80.0.0/16", (), False),
        ],
    ),
}


@pytest.mark.parametrize("name", INTERFACES)
def test_an_overlay_has_the_modes_and_options_that_users_know(name: str) -> None:
    kind, plain = registry.load(name), registry.parse(name)
    options = [(one.key, one.default, one.values, one.number) for one in kind.options]
    assert (kind.modes, (plain.hops, plain.user_space, plain.encrypts), options) == INTERFACES[name]
