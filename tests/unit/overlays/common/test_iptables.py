"""Rules and chains that a daemon left, and only those."""

from __future__ import annotations

import re

from overlays.common import iptables
from overlays.weave.overlay import RULES
from tests.unit.fakes import FakeHost


class TestNetfilter:
    SAVED = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER-USER - [0:0]
:WEAVE-CANARY - [0:0]
:WEAVE-EXPOSE - [0:0]
-A INPUT -d 127.0.0.1/32 -p tcp -m comment --comment "Weave Net control port" -j DROP
-A FORWARD -i weave -o weave -j ACCEPT
-A FORWARD -o weave -j WEAVE-EXPOSE
-A FORWARD -j DOCKER-USER
-A WEAVE-EXPOSE -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""

    def test_only_our_rules_and_chains_go(self) -> None:
        lines = iptables.removal(self.SAVED, RULES).splitlines()
        assert lines[0] == "*filter"
        assert "-D FORWARD -o weave -j WEAVE-EXPOSE" in lines
        assert "-X WEAVE-CANARY" in lines
        assert not [line for line in lines if "DOCKER" in line or "MASQUERADE" in line]
        assert "*nat" not in lines

    def test_chains_are_emptied_after_the_jumps_to_them_are_gone(self) -> None:
        lines = iptables.removal(self.SAVED, RULES).splitlines()
        jump, empty = lines.index("-D FORWARD -o weave -j WEAVE-EXPOSE"), lines.index("-F WEAVE-EXPOSE")
        assert jump < empty < lines.index("-X WEAVE-EXPOSE")
        assert "-D WEAVE-EXPOSE -j RETURN" not in lines

    def test_nothing_of_ours_is_nothing_to_do(self) -> None:
        assert iptables.removal(self.SAVED, re.compile("flannel")) == ""


async def test_rules_of_ours_go_in_one_transaction_and_no_other_is_flushed() -> None:
    host = FakeHost("AMS", lambda argv: (0, TestNetfilter.SAVED))
    await iptables.remove(host, RULES)  # type: ignore[arg-type]
    assert host.ran == [("iptables-save",), ("iptables-restore", "--noflush")]
    assert host.fed == [iptables.removal(TestNetfilter.SAVED, RULES)]
    none = FakeHost("AMS", lambda argv: (0, TestNetfilter.SAVED))
    await iptables.remove(none, re.compile("flannel"))  # type: ignore[arg-type]
    assert none.ran == [("iptables-save",)]


def test_each_table_is_a_transaction_of_its_own_and_chains_of_the_kernel_stay() -> None:
    saved = "*nat\n:MINE - [0:0]\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0] MINE\n-A INPUT -j MINE\nCOMMIT\n"
    assert iptables.removal(saved, re.compile("MINE")) == (
        "*nat\n-F MINE\n-X MINE\nCOMMIT\n*filter\n-D INPUT -j MINE\nCOMMIT\n"
    )
