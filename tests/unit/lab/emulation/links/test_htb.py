"""The rate of a link: what is set by tc, and what its words are understood as. No root."""

from __future__ import annotations

from typing import Any

import pytest

from lab.emulation.links import htb
from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError
from lab.hosts.host import Result

LINE = LinkState("A-B", 5, Shape(10.0, rate=50.0), Shape(10.0), "/x/a", "/x/b", "eth1", "eth3")


QDISCS = """[
 {"kind":"htb","handle":"1:","dev":"5b","root":true,"options":{"direct_packets_stat":0},
  "bytes":7,"packets":3,"drops":2},
 {"kind":"bfifo","handle":"3:","dev":"5b","parent":"1:a","options":{"limit":250000},"drops":2},
 {"kind":"htb","handle":"1:","dev":"5a","root":true,"options":{"direct_packets_stat":0},"drops":0},
 {"kind":"bfifo","handle":"3:","dev":"5a","parent":"1:b","options":{"limit":67108864},"drops":0}]"""


CLASSES = """class htb 1:a root leaf 3: prio 0 rate 50Mbit ceil 50Mbit burst 12500b cburst 12500b

class htb 1:b root leaf 3: prio 0 rate 100Gbit ceil 100Gbit burst 25000000b cburst 25000000b
"""


def test_every_direction_has_a_class_of_its_own_number() -> None:
    speed = "rate 50000kbit ceil 50000kbit burst 12500 cburst 12500 quantum 1514"
    assert htb.add_commands(LINE, "ab", "root") == [
        "qdisc add dev 5b root handle 1: htb default a",
        f"class add dev 5b parent 1: classid 1:a htb {speed}",
        "qdisc add dev 5b parent 1:a handle 3: bfifo limit 250000",
    ]
    assert "dev 5a" in htb.add_commands(LINE, "ba", "root")[0]
    assert "classid 1:b htb rate 100000000kbit" in htb.add_commands(LINE, "ba", "root")[1]


def test_a_change_neither_adds_nor_removes() -> None:
    assert all(" change " in f" {line} " for line in htb.rate_commands("change", LINE, "ab"))


def test_words_of_tc_are_what_was_asked() -> None:
    rates = htb.parse(QDISCS, CLASSES)

    assert htb.read_rate(rates, LINE, "ab") == (50.0, None)
    assert htb.read_rate(rates, LINE, "ba") == (None, None)
    assert htb.overflow(rates, LINE, "ab") == 2


@pytest.mark.parametrize(
    ("qdiscs", "classes", "words"),
    [
        (QDISCS.replace("5b", "9b"), CLASSES, "port 5b has no htb"),
        (QDISCS.replace('stat":0', 'stat":4'), CLASSES, "4 packets went round its rate"),
        (QDISCS, CLASSES.replace("1:a", "1:7"), "port 5b has no rate"),
        (QDISCS, CLASSES.replace("burst 12500b", "burst 90Kb"), "burst was set to 12500 bytes"),
    ],
)
def test_what_is_missing_or_changed_is_told(qdiscs: str, classes: str, words: str) -> None:
    with pytest.raises(ShaperError, match=words):
        htb.read_rate(htb.parse(qdiscs, classes), LINE, "ab")


def test_another_rate_or_queue_is_handed_on_for_comparison() -> None:
    slower = htb.parse(QDISCS.replace("250000", "9000"), CLASSES.replace("rate 50Mbit", "rate 21750Kbit"))

    assert htb.read_rate(slower, LINE, "ab") == (21.75, 9000)


def test_the_bucket_of_another_rate_is_not_compared_and_one_of_the_same_is_within_a_rounding() -> None:
    """A rate that is not as asked is told by its own words."""
    other = CLASSES.replace("rate 50Mbit", "rate 20Mbit").replace("burst 12500b", "burst 90Kb")
    assert htb.read_rate(htb.parse(QDISCS, other), LINE, "ab") == (20.0, None)
    near = CLASSES.replace("burst 12500b", f"burst {12500 * (1 + htb.ROUNDING / 2):.0f}b")
    assert htb.read_rate(htb.parse(QDISCS, near), LINE, "ab") == (50.0, None)


def test_a_bucket_holds_two_packets_also_of_a_slow_link() -> None:
    slow = Shape(10.0, rate=0.1)
    assert htb.burst(slow) == 2 * slow.packet == 3028
    assert htb.burst(Shape(10.0, rate=50.0)) == 50e6 / 8 * htb.BURST_SECONDS > 3028
    assert htb.burst(Shape(10.0)) == htb.burst(Shape(10.0, rate=htb.UNLIMITED))


async def test_the_kernel_is_asked_for_disciplines_with_counters_and_for_the_class_of_every_port() -> None:
    ran = []

    async def run(argv: Any, *, stdin: bytes = b"", **_: Any) -> Result:
        ran.append((*argv[2:], stdin))
        return Result(tuple(argv), 0, CLASSES if stdin else QDISCS, "", 0.0)

    rates = await htb.show("lab-x", [LINE], run)

    assert ran == [
        ("tc", "-j", "-s", "qdisc", "show", b""),
        ("tc", "-batch", "-", b"class show dev 5b\nclass show dev 5a\n"),
    ]
    assert rates == htb.parse(QDISCS, CLASSES)


@pytest.mark.parametrize(
    ("words", "rate", "bucket"),
    [
        ("rate 500bit ceil 1bit burst 1600b ", 500e-6, 1600),
        ("rate 64Kbit ceil 1bit burst 2Kb ", 64e-3, 2048),
        ("rate 50Mbit ceil 1bit burst 1.5Mb ", 50.0, 1.5 * 2**20),
        ("rate 10Gbit ceil 1bit burst 12500b ", 10_000.0, 12_500),
    ],
)
def test_rates_and_buckets_are_read_in_each_of_tcs_units(words: str, rate: float, bucket: float) -> None:
    text = f"class htb 1:1f root leaf 3: prio 0 {words}cburst 1b\n"
    assert htb.parse("", text) == htb.Rates({}, {31: (pytest.approx(rate), bucket)})


def test_a_bucket_just_beyond_a_rounding_is_told() -> None:
    far = CLASSES.replace("burst 12500b", f"burst {12500 * (1 + 2 * htb.ROUNDING):.0f}b")
    with pytest.raises(ShaperError, match="reads back as 12750"):
        htb.read_rate(htb.parse(QDISCS, far), LINE, "ab")


def test_a_queue_without_a_rate_is_never_full() -> None:
    assert htb.queue_limit(Shape(10.0)) == htb.ROOMY
    assert htb.queue_limit(Shape(10.0, rate=50.0, queue=9000)) == 9000


@pytest.mark.parametrize(("read_back", "as_asked"), [(2989, True), (3067, True), (2600, False)])
def test_a_small_bucket_is_known_to_two_microseconds(
    read_back: int, as_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In virtual time, two packets: 3028 bytes are 123.6 µs of 196 Mbit/s, and tc keeps 122."""
    monkeypatch.setattr(htb, "BURST_SECONDS", 1e-5)
    link = LinkState("A-B", 5, Shape(10.0, rate=196.0), Shape(10.0))
    classes = f"class htb 1:a root leaf 3: prio 0 rate 196Mbit ceil 196Mbit burst {read_back}b cburst 1b\n"
    if as_asked:
        assert htb.read_rate(htb.parse(QDISCS, classes), link, "ab")[0] == 196.0
    else:
        with pytest.raises(ShaperError, match="burst was set to 3028 bytes and reads back as 2600"):
            htb.read_rate(htb.parse(QDISCS, classes), link, "ab")
