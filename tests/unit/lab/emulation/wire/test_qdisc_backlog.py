"""How many packets wait for a rate, from the kernel's answer. No root."""

from __future__ import annotations

import struct

from lab.emulation.wire import qdisc_backlog


def test_how_many_packets_wait_is_found_in_the_kernels_answer() -> None:
    stats = struct.pack("=QIIIIIII", 1, 2, 3, 4, 5, 6, 41, 8) + bytes(4)
    kind = struct.pack("=HH4s", 8, 1, b"htb\0")
    answer = struct.pack("=IHHII20x", 0, qdisc_backlog.RTM_NEWTCLASS, 0, 0, 0) + kind
    answer += struct.pack("=HH", 4 + len(stats), qdisc_backlog.TCA_STATS) + stats

    assert qdisc_backlog.queue_length(answer) == 41
    assert qdisc_backlog.queue_length(answer[:60]) == 0
    assert qdisc_backlog.queue_length(b"") == 0


def test_a_port_that_is_not_there_has_nothing_waiting() -> None:
    exits = qdisc_backlog.QdiscBacklog()

    assert not exits.waiting("nowhere", 1)
    assert not exits.waiting("lo", 1)
    exits._socket.close()
