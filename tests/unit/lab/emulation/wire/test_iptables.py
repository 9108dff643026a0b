"""The wire's packet filter: its rules, and what is changed of them. No root."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.links.link import LinkState, Shape
from lab.emulation.wire import iptables

LINE = LinkState("A-B", 5, Shape(10.0, rate=50.0), Shape(20.0, loss=1.0))


def test_nothing_passes_that_no_rule_names() -> None:
    assert iptables.table([]) == b"*mangle\n:FORWARD DROP [0:0]\nCOMMIT\n"
    assert b"queue-bypass" not in iptables.table([LINE])


def test_a_packet_is_lost_before_it_waits() -> None:
    assert iptables.port_rules(LINE, "ba") == [
        "FORWARD -m physdev --physdev-in 5b -m statistic --mode random --probability 0.010000000 -j DROP",
        "FORWARD -m physdev --physdev-in 5b -j NFQUEUE --queue-num 11",
    ]


def test_a_change_of_rules_touches_only_what_changes_and_all_at_once() -> None:
    other = LinkState("C-D", 6)
    lossy = LINE.changed(("ab",), loss=2.0)

    assert iptables.difference([LINE, other], [LINE, other]) is None
    assert iptables.difference([LINE], [LINE.changed(("ab", "ba"), delay=1.0, rate=1.0)]) is None
    assert (iptables.difference([LINE, other], [lossy, other]) or b"").decode().splitlines() == [
        "*mangle",
        "-D FORWARD -m physdev --physdev-in 5a -j NFQUEUE --queue-num 10",
        "-A FORWARD -m physdev --physdev-in 5a -m statistic --mode random --probability 0.020000000 -j DROP",
        "-A FORWARD -m physdev --physdev-in 5a -j NFQUEUE --queue-num 10",
        "COMMIT",
    ]
    assert (iptables.difference([LINE], [LINE, other]) or b"").count(b"-A") == 2
    assert (iptables.difference([LINE, other], [LINE]) or b"").count(b"-D") == 2
    assert "--noflush" in iptables.amend("nft", 6)


def test_rules_that_nobody_here_wrote_are_told() -> None:
    foreign = iptables.parse(":FORWARD DROP [0:0]\n-A FORWARD -j ACCEPT\n")

    assert foreign.others == ("-A FORWARD -j ACCEPT",)


@pytest.mark.parametrize(("there", "versions"), [(True, (4, 6)), (False, (4,))])
def test_each_family_that_the_kernel_has_gets_a_table(
    there: bool, versions: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: there and str(path) == "/proc/sys/net/ipv6")
    assert iptables.families() == versions


def test_the_programs_of_each_family_and_variant() -> None:
    assert iptables.restore("nft", 4) == ["iptables-nft-restore", "-w", "5"]
    assert iptables.restore("legacy", 6) == ["ip6tables-legacy-restore", "-w", "5"]
    assert iptables.amend("nft", 4) == ["iptables-nft-restore", "-w", "5", "--noflush"]
    assert iptables.save("nft", 6) == ["ip6tables-nft-save", "-t", "mangle"]


def test_what_the_wire_wrote_is_read_back() -> None:
    read = iptables.parse(iptables.table([LINE]).decode().replace("0.010000000", "0.01000000"))
    assert (read.policy, read.queues, read.others) == ("DROP", {"5a": 10, "5b": 11}, ())
    assert read.loss == {"5b": pytest.approx(1.0)}
    assert iptables.parse("").policy == "none"


def test_losses_in_bursts_are_the_processes_work() -> None:
    bursty = LINE.changed(("ba",), burst=4.0)
    assert iptables.port_rules(bursty, "ba") == [
        "FORWARD -m physdev --physdev-in 5b -j NFQUEUE --queue-num 11"
    ]
