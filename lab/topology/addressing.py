"""Addresses of a topology's links.

Two schemes, one for a whole topology:

* **numbered**: link L is 192.168.L.0/24 and host H has 192.168.L.H on it. This is the
  convention of the 2016 studies' scripts; a person reads link and host off an address.
  It holds 255 links between 254 hosts.
* **dense**: link L is the L-th /30 of 100.64.0.0/10 (RFC 6598, shared address space) and
  its ends have the first and the second address. It holds 1,048,576 links. That range is
  taken because no overlay and no container engine uses it by default, as they do
  10.0.0.0/8 and 172.16.0.0/12.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

NUMBERED = IPv4Network("192.168.0.0/16")
NUMBERED_LINKS, NUMBERED_HOSTS = 255, 254
DENSE = IPv4Network("100.64.0.0/10")
DENSE_LINKS = 2 ** (30 - DENSE.prefixlen)


@dataclass(frozen=True)
class LinkAddresses:
    """The subnet of a link (``192.168.1.0/24``) and the addresses of its two ends, without length."""

    subnet: str
    address_a: str
    address_b: str


def fits_numbered(hosts: int, links: int) -> bool:
    """Return True where the numbered scheme holds this many hosts and links."""
    return hosts <= NUMBERED_HOSTS and links <= NUMBERED_LINKS


def numbered(link: int, host_a: int, host_b: int) -> LinkAddresses:
    """Return the addresses of a link by the numbers of the link and its hosts, all counted from 1."""
    base = int(NUMBERED.network_address) + 256 * link
    return _addresses(base, 24, host_a, host_b)


def dense(link: int) -> LinkAddresses:
    """Return the addresses of the link of this number (from 1) in a topology of any size."""
    return _addresses(int(DENSE.network_address) + 4 * (link - 1), 30, 1, 2)


def _addresses(base: int, length: int, a: int, b: int) -> LinkAddresses:
    return LinkAddresses(
        f"{IPv4Address(base)}/{length}", str(IPv4Address(base + a)), str(IPv4Address(base + b))
    )
