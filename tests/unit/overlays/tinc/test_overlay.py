"""tinc: what its daemons' files have in them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from lab import catalog
from lab.errors import OverlayError
from lab.hosts.daemons import signal_argv
from overlays.tinc import overlay as tinc
from tests.unit.fakes import FakeHost


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


NODE = (
    " {0} at 1.1.1.1 port 655 cipher {1} digest 0 status 003a nexthop {2} via x pmtu 9 (min {3} max 1468)\n"
)


def listed(*lines: str) -> str:
    return f"Nodes:\n{''.join(lines)}End of nodes.\n"


def meshed(said: str, status: int = 0) -> tuple[tinc.Tinc, list[FakeHost]]:
    """An overlay on the chain, on whose hosts the log says so."""
    made = put_on("linear")
    hosts = [FakeHost(host.name, lambda argv: (status, said), silent=True) for host in made.topology.hosts]
    made.hosts = tuple(hosts)  # type: ignore[assignment]
    return made, hosts


@pytest.mark.parametrize("known", [True, False])
async def test_a_daemon_that_lacks_a_neighbour_is_told_to_connect_now(known: bool) -> None:
    lines = [NODE.format(name, 0, name, 1468) for name in ("AMS", "BRA") if known or name == "AMS"]
    made, hosts = meshed(listed(*lines))
    said = await made._lacking(hosts[1])  # type: ignore[arg-type]
    assert said.startswith("LJU is not reachable" if known else "BRA is unknown")
    told = tuple(signal_argv("ALRM", tinc.PIDFILE, "tincd"))
    assert (told in hosts[1].ran) is not known
    assert [f"ping -c1 -W1 {bridge}" in hosts[1].fed[0] for bridge in ("10.60.1.1", "10.60.3.1")] == [
        True,
        True,
    ]
    assert "10.60.4.1" not in hosts[1].fed[0], "only neighbours are sent a packet"


async def test_hops_that_are_not_settled_and_what_goes_by_others_are_told() -> None:
    lines = [
        NODE.format("AMS", 427, "AMS", 1468),
        NODE.format("BRA", 0, "BRA", 0),
        NODE.format("LJU", 0, "BRA", 0),
        NODE.format("stranger", 0, "AMS", 0),
    ]
    made, _ = meshed(listed(*lines))
    assert (await made.multihop_proof())["PRG"] == {"LJU": "BRA"}
    mode = await made.mode()
    assert mode["encryption"] == "on"
    assert mode["connections"].startswith("1 over UDP, PRG→BRA: UDP to BRA is not confirmed, ")
    assert (await made.report())["AMS"].endswith(lines[-1])


async def test_a_daemon_that_has_ended_is_told() -> None:
    made, hosts = meshed("last words", status=1)

    async def alive(name: str) -> bool:
        return False

    hosts[0].alive = alive  # type: ignore[method-assign]
    with pytest.raises(
        OverlayError, match="tinc: tincd on AMS no longer runs; the end of its log: last words"
    ):
        await made._nodes(hosts[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(("encryption", "cipher"), [("on", "aes-256-cbc"), ("off", "none")])
def test_a_host_file_says_how_frames_are_sealed(encryption: str, cipher: str) -> None:
    made = put_on("linear")
    made.settings = {**made.settings, "encryption": encryption}
    text = made.host_file(made.hosts[0], "BRA", "KEY\n")
    digest = "sha256" if encryption == "on" else "none"
    assert text == f"IndirectData = yes\nCipher = {cipher}\nDigest = {digest}\nKEY\n"


def test_names_of_hosts_are_such_as_tinc_takes() -> None:
    assert tinc.node("fra-1.b") == "fra_1_b"
