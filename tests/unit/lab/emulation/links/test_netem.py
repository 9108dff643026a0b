"""netem: what is set by tc, and what its words are understood as. No root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links import htb, netem
from lab.emulation.links.link import LEAST_HELD, LinkState, Shape
from lab.errors import CommandError, ShaperError
from lab.hosts.host import Result

LINE = LinkState("A-B", 5, Shape(10.0, rate=50.0, loss=1.0, jitter=0.25), Shape(10.0))


def rates(**of_netem: Any) -> htb.Rates:
    options = {
        "limit": LEAST_HELD,
        "rate": {"rate": 125_000_000_000},
        "delay": {"delay": 0.01, "jitter": 0.00025, "correlation": 0},
        "loss-random": {"loss": 0.01, "correlation": 0},
    }
    return htb.Rates(
        {
            ("5b", "netem"): {"options": {**options, **of_netem}, "drops": 12},
            ("5b", "htb"): {"options": {"direct_packets_stat": 0}, "packets": 9, "bytes": 900, "drops": 2},
            ("5b", "bfifo"): {"options": {"limit": 250_000}, "drops": 2},
        },
        {10: (50.0, 12_500)},
    )


def test_netem_holds_the_rate_past_the_bridge() -> None:
    lines = netem.add_commands(LINE, "ab")

    assert lines[0] == (
        "qdisc add dev 5b root handle 2: netem limit 100000 delay 10.000000ms 0.250000ms distribution normal "
        "loss random 1.000000% duplicate 0.000000% corrupt 0.000000% reorder 0.000000% rate 1000gbit"
    )
    assert lines[1] == "qdisc add dev 5b parent 2:1 handle 1: htb default a"


def test_a_change_names_every_parameter_again() -> None:
    lines = netem.change_commands(LINE.changed(("ba",), loss=0.0), "ba")

    assert lines[0] == (
        "qdisc change dev 5a root handle 2: netem limit 100000 delay 10.000000ms loss random 0.000000% "
        "duplicate 0.000000% corrupt 0.000000% reorder 0.000000% rate 1000gbit"
    )
    assert all(" change " in line for line in lines)


def test_what_tc_says_is_read_back() -> None:
    assert netem.read_shape(LINE, "ab", rates()) == LINE.ab


def test_a_link_without_impairments_reads_back_as_such() -> None:
    plain = LINE.changed(("ab",), delay=0.0, loss=0.0, jitter=0.0)
    said = rates()
    options = said.qdiscs["5b", "netem"]["options"]
    del options["delay"], options["loss-random"]

    got = netem.read_shape(plain, "ab", said)

    assert (got.delay, got.loss, got.jitter) == (0.0, 0.0, 0.0)


def test_all_impairments_have_their_words() -> None:
    way = Shape(20.0, jitter=2.0, distribution="pareto", loss=5.0, burst=4.0, duplicate=1.0, reorder=3.0)
    first = netem.add_commands(LinkState("A-B", 5, way, Shape(corrupt=0.5)), "ab")[0]

    assert " 2.000000ms distribution pareto loss gemodel 1.315789% 25.000000% duplicate 1.000000%" in first
    assert first.endswith("reorder 3.000000% rate 1000gbit")
    assert " corrupt 0.500000%" in netem.add_commands(LinkState("A-B", 5, way, Shape(corrupt=0.5)), "ba")[0]


def test_bursts_and_shares_are_read_back() -> None:
    bursty = LINE.changed(("ab",), loss=5.0, burst=4.0, duplicate=1.0, corrupt=2.0, reorder=3.0)
    begins, ends = bursty.ab.gilbert or (0, 0)
    said = rates(
        **{
            "loss-gemodel": {"p": begins, "r": ends, "1-h": 1, "1-k": 0},
            "duplicate": {"duplicate": 0.01},
            "corrupt": {"corrupt": 0.02},
            "reorder": {"reorder": 0.03},
        }
    )

    got = netem.read_shape(bursty, "ab", said)

    assert (got.loss, got.burst) == (pytest.approx(5.0), pytest.approx(4.0))
    assert (got.duplicate, got.corrupt, got.reorder) == (1.0, 2.0, 3.0)


def test_a_netem_that_lost_its_order_is_told() -> None:
    said = rates()
    del said.qdiscs["5b", "netem"]["options"]["rate"]

    with pytest.raises(ShaperError, match="keeps packets in order"):
        netem.read_shape(LINE, "ab", said)


def test_a_queue_that_was_cut_is_told() -> None:
    with pytest.raises(ShaperError, match="netem was set to hold 1000 packets"):
        netem.read_shape(LINE, "ab", rates(limit=1000))


def test_only_drops_that_nothing_explains_are_unexpected() -> None:
    lossless = LINE.changed(("ab",), loss=0.0)

    assert netem.read_counters(LINE, "ab", rates()).unexpected == 0
    assert netem.read_counters(lossless, "ab", rates()).unexpected == 10
    assert netem.read_counters(lossless, "ab", rates()).overflow == 2


class Kernel:
    """Writes down what tc and ip are told; refuses the first batch with a word in it."""

    def __init__(self, refused: str = "never") -> None:
        self.refused, self.told = refused, list[tuple[str, list[str], dict[str, str] | None]]()
        self.argvs = list[list[str]]()

    async def __call__(
        self, argv: Any, *, stdin: bytes = b"", env: dict[str, str] | None = None, **_: Any
    ) -> Result:
        self.argvs.append(list(argv))
        program = argv[argv.index("-batch") - 1] if "-batch" in argv else argv[0]
        self.told.append((program, stdin.decode().splitlines(), env))
        if program == "tc" and self.refused in stdin.decode():
            self.refused = "never"
            raise CommandError("this machine", argv, 1, "", "no\nmore")
        return Result(tuple(argv), 0, "", "", 0.0)

    def lines(self, program: str) -> list[list[str]]:
        return [lines for name, lines, _ in self.told if name == program]


BY_PACKET = LINE.changed(("ab", "ba"), loss=2.0, delay=7.0)


async def test_links_are_shaped_with_the_labs_own_tables(tmp_path: Path) -> None:
    kernel = Kernel()
    made = netem.Netem("x", tmp_path, kernel)
    await made._add([BY_PACKET], {BY_PACKET.name: BY_PACKET})
    assert kernel.lines("ip"), "hosts send single packets where single ones are lost"
    kernel.told.clear()
    await made._add([LINE], {LINE.name: LINE})
    assert kernel.lines("tc") == [[*netem.add_commands(LINE, "ab"), *netem.add_commands(LINE, "ba")]]
    assert kernel.told[-1][2] == {netem.TABLES: str(tmp_path)}
    assert dict(made.states) == {LINE.name: LINE}


async def test_a_change_that_fails_half_way_is_undone_and_told(tmp_path: Path) -> None:
    kernel = Kernel(refused="delay 7.000000ms")
    made = netem.Netem("x", tmp_path, kernel)
    await made._switch({LINE.name: LINE})
    with pytest.raises(CommandError, match="more"):
        await made._replace(LINE, BY_PACKET, {LINE.name: BY_PACKET})
    asked, undone = kernel.lines("tc")
    assert asked == [line for d in ("ab", "ba") for line in netem.change_commands(BY_PACKET, d)]
    assert undone == [line for d in ("ab", "ba") for line in netem.change_commands(LINE, d)]
    there, back = kernel.lines("ip")
    assert (there[0].split()[-1], back[0].split()[-1]) == ("1", "65535")
    assert dict(made.states) == {LINE.name: LINE}


async def test_a_change_that_succeeds_is_stored(tmp_path: Path) -> None:
    kernel = Kernel()
    made = netem.Netem("x", tmp_path, kernel)
    await made._replace(LINE, BY_PACKET, {LINE.name: BY_PACKET})
    assert (len(kernel.lines("tc")), dict(made.states)) == (1, {LINE.name: BY_PACKET})


async def test_netem_is_tried_where_it_can_do_no_harm() -> None:
    kernel = Kernel()
    assert await netem.Netem.probe(kernel) is None
    (lines,) = kernel.lines("tc")
    assert lines[0].startswith("qdisc add dev lo root handle 2: netem limit 100000 delay 1.000000ms")
    assert lines[2].startswith("class add dev lo parent 1: classid 1:2 htb rate 10000kbit")
    assert kernel.argvs == [["unshare", "--net", "tc", "-batch", "-"]]
    assert await netem.Netem.probe(Kernel(refused="netem")) == "this kernel or user cannot have it (no)"


def test_the_mtu_of_a_link_is_kept() -> None:
    large = LinkState("A-B", 5, Shape(10.0, rate=50.0, loss=1.0, jitter=0.25, mtu=9000), Shape(10.0))
    said = htb.Rates(rates().qdiscs, {10: (50.0, htb.burst(large.ab))})
    assert netem.read_shape(large, "ab", said).mtu == 9000


def test_what_the_disciplines_do_not_tell_is_as_it_was_asked() -> None:
    asked = LINE.changed(("ab",), distribution="pareto", queue=90_000, jitter=0.25)
    said = rates()
    said.qdiscs["5b", "bfifo"]["options"]["limit"] = 90_000
    assert netem.read_shape(asked, "ab", said) == asked.ab


QDISCS = """[
 {"kind":"netem","handle":"2:","dev":"5b","root":true,"options":{"limit":100000,
  "delay":{"delay":0.01,"jitter":0.00025,"correlation":0},"loss-random":{"loss":0.01,"correlation":0},
  "rate":{"rate":125000000000}},"bytes":7,"packets":3,"drops":12},
 {"kind":"htb","handle":"1:","dev":"5b","parent":"2:1","options":{"direct_packets_stat":0},
  "bytes":900,"packets":9,"drops":2},
 {"kind":"bfifo","handle":"3:","dev":"5b","parent":"1:a","options":{"limit":250000},"drops":2},
 {"kind":"netem","handle":"2:","dev":"5a","root":true,"options":{"limit":100000,
  "delay":{"delay":0.01,"jitter":0,"correlation":0},"rate":{"rate":125000000000}},"drops":0},
 {"kind":"htb","handle":"1:","dev":"5a","parent":"2:1","options":{"direct_packets_stat":0},
  "bytes":8,"packets":4,"drops":0},
 {"kind":"bfifo","handle":"3:","dev":"5a","parent":"1:b","options":{"limit":67108864},"drops":0}]"""
CLASSES = """class htb 1:a root leaf 3: prio 0 rate 50Mbit ceil 50Mbit burst 12500b cburst 12500b

class htb 1:b root leaf 3: prio 0 rate 100Gbit ceil 100Gbit burst 25000000b cburst 25000000b
"""


async def test_all_links_are_read_and_counted_in_both_directions(tmp_path: Path) -> None:
    async def run(argv: Any, **_: Any) -> Result:
        return Result(tuple(argv), 0, QDISCS if "qdisc" in argv else CLASSES, "", 0.0)

    made = netem.Netem("x", tmp_path, run)
    await made._switch({LINE.name: LINE})
    assert await made._read([LINE]) == {"A-B": {"ab": LINE.ab, "ba": LINE.ba}}
    counted = (await made.counters())["A-B"]
    assert [(counted[d].packets, counted[d].bytes) for d in ("ab", "ba")] == [(9, 900), (4, 8)]


async def test_a_kernel_that_refuses_without_a_word_is_told() -> None:
    async def refuse(argv: Any, **_: Any) -> Result:
        raise CommandError("this machine", argv, 1, "", " \n")

    assert await netem.Netem.probe(refuse) == "this kernel or user cannot have it (no word)"


def test_what_the_path_takes_is_part_of_the_delay_that_reads_back() -> None:
    trimmed = replace(LINE, trim=0.5)
    assert netem.read_shape(trimmed, "ab", rates()).delay == pytest.approx(10.5)
    assert netem.read_shape(replace(LINE, trim=-20.0), "ab", rates(delay={"delay": 0.0})).delay == 0.0


def test_drops_of_the_queue_are_none_of_netem_s_and_never_less_than_nothing() -> None:
    lossless = LINE.changed(("ab",), loss=0.0)
    said = rates()
    said.qdiscs["5b", "bfifo"]["drops"] = 13
    counted = netem.read_counters(lossless, "ab", said)
    assert (counted.overflow, counted.unexpected, counted.packets, counted.bytes) == (13, 0, 9, 900)
