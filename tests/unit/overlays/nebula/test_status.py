"""The log of Nebula 1.6.1 on a host that reaches one other directly, and one by a relay."""

from __future__ import annotations

from overlays.nebula import status
from tests.paths import ROOT

LOG = (ROOT / "tests/fixtures/nebula/relayed.log").read_text()


def test_a_handshake_says_which_way_a_tunnel_goes() -> None:
    assert status.tunnels(LOG) == {"10.91.0.1": "direct", "10.91.0.3": "relayed"}


def test_a_log_that_is_cut_off_says_what_it_has() -> None:
    assert status.tunnels(LOG[LOG.index("\n") - 20 : -40]) == {"10.91.0.1": "direct"}
    assert status.tunnels("") == {}
    assert status.tunnels('[1]\n"x"\nnull\n') == {}


def test_the_last_handshake_counts() -> None:
    line = next(line for line in LOG.splitlines() if status.RECEIVED in line)
    assert status.tunnels(f"{LOG}{line}\n{line.replace('10.91.0.1', '10.91.0.3')}\n")["10.91.0.3"] == "direct"


def test_a_tunnel_that_the_other_end_closed_is_none_until_it_is_made_again() -> None:
    """A host that had left, and joined again, waited for a tunnel that its peers thought they had."""
    line = next(line for line in LOG.splitlines() if status.RECEIVED in line)
    closed = '{"level":"info","msg":"Close tunnel received, tearing down.","vpnIp":"10.91.0.1"}\n'
    assert status.tunnels(f"{LOG}{closed}") == {"10.91.0.3": "relayed"}
    assert status.tunnels(f"{LOG}{closed}{line}\n").keys() == {"10.91.0.1", "10.91.0.3"}


def test_certificates_are_told_apart() -> None:
    one = "-----BEGIN NEBULA CERTIFICATE-----\nab\n-----END NEBULA CERTIFICATE-----\n"
    assert status.certificates(f"said\n{one}{one}") == [one, one]
