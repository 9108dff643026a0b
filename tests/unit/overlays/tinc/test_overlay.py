"""tinc: what its daemons' files have in them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from lab import catalog
from lab.errors import OverlayError
from overlays.tinc import overlay as tinc


def test_a_key_is_found_in_a_host_file() -> None:
    key = "-----BEGIN RSA PUBLIC KEY-----\nabc\n-----END RSA PUBLIC KEY-----\n"
    assert tinc.public_key(f"Cipher = none\n{key}") == key
    with pytest.raises(OverlayError, match="no key"):
        tinc.public_key("")


class Host:
    """A name is all that the text of a file needs of a host."""

    def __init__(self, name: str) -> None:
        self.name = name


def put_on(topology: str) -> tinc.Tinc:
    made = tinc.Tinc()
    made.topology = catalog.topology(topology)
    made.hosts = tuple(Host(host.name) for host in made.topology.hosts)  # type: ignore[assignment]
    return made


def test_of_two_neighbours_the_later_one_connects() -> None:
    """Each closes the other's connection where both do so at one moment."""
    chain = put_on("linear")
    texts = {host.name: chain.configuration(host) for host in chain.hosts}
    asked = {name: re.findall("^ConnectTo = (.*)$", text, re.MULTILINE) for name, text in texts.items()}
    names = [host.name for host in chain.hosts]
    assert asked == {name: [tinc.node(before)] for before, name in pairwise(names)} | {names[0]: []}
    assert "BindToAddress = 10.62.0.2\n" in texts[names[1]]


def test_only_neighbours_have_an_address() -> None:
    chain = put_on("linear")
    first, second, third = chain.hosts[:3]
    assert chain.host_file(first, second.name, "KEY").startswith("Address = 10.62.0.2\n")
    assert "Address" not in chain.host_file(first, third.name, "KEY")
    assert "KEY" in chain.host_file(first, third.name, "KEY")
