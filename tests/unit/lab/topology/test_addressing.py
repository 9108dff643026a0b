"""Addresses of links: the scheme that a person can read, and the one that holds a million."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from lab.topology import addressing
from lab.topology.addressing import LinkAddresses


def test_a_numbered_address_names_link_and_host() -> None:
    assert addressing.numbered(3, 1, 254) == LinkAddresses("192.168.3.0/24", "192.168.3.1", "192.168.3.254")


def test_dense_addresses_follow_one_another() -> None:
    assert addressing.dense(1) == LinkAddresses("100.64.0.0/30", "100.64.0.1", "100.64.0.2")
    assert addressing.dense(2).subnet == "100.64.0.4/30"
    last = ip_network(addressing.dense(addressing.DENSE_LINKS).subnet)
    assert last.broadcast_address == addressing.DENSE.broadcast_address


@pytest.mark.parametrize(
    ("hosts", "links", "fit"), [(254, 255, True), (255, 255, False), (254, 256, False), (0, 0, True)]
)
def test_the_numbered_scheme_has_its_limits(hosts: int, links: int, fit: bool) -> None:
    assert addressing.fits_numbered(hosts, links) is fit
