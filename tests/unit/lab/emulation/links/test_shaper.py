"""What is asked of a link, what a shaper refuses, and which one is chosen. No root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation import memory
from lab.emulation.links import readback, shaper, store
from lab.emulation.links.link import DIRECTIONS, LinkState, Shape, Wiring
from lab.emulation.links.netem import Netem
from lab.emulation.wire.wire import Wire
from lab.errors import CommandError, MachineError, ShaperError, UnknownName
from lab.hosts.host import Result
from lab.topology import LinkSpec
from tests.paths import ROOT

SPEC = LinkSpec(
    name="AMS-PRG",
    number=3,
    a="AMS",
    b="PRG",
    rtt=21.75,
    rate=200.0,
    jitter=0.0,
    loss=0.5,
    mtu=1500,
    subnet="192.168.3.0/24",
    address_a="192.168.3.1",
    address_b="192.168.3.2",
    interface_a="eth1",
    interface_b="eth2",
)


def test_half_of_the_round_trip_goes_each_way() -> None:
    line = Wiring(SPEC, 17, "lab-x").line

    assert line.ab == line.ba == Shape(delay=10.875, rate=200.0, loss=0.5)
    assert (line.end_a, line.end_b) == ("/proc/17/ns/net", "/run/netns/lab-x")
    assert (line.port_in("ab"), line.port_out("ab")) == ("3a", "3b")
    assert (line.port_in("ba"), line.port_out("ba")) == ("3b", "3a")


@pytest.mark.parametrize(
    ("shape", "queue"),
    [
        (Shape(delay=50.0, rate=1000.0), 25_000_000),  # 2 × 1 Gbit/s × 100 ms
        (Shape(delay=0.1, rate=10.0), 64 * 1514),
        (Shape(delay=50.0), 64 * 1514),
        (Shape(delay=0.1, rate=10.0, mtu=9000), 64 * 9014),
        (Shape(delay=50.0, rate=1000.0, queue=3000), 3000),
    ],
)
def test_the_queue_holds_twice_the_product_and_64_packets(shape: Shape, queue: int) -> None:
    assert shape.queue_bytes == queue


@pytest.mark.parametrize(
    "absurd",
    [
        *({"delay": -1.0}, {"delay": float("nan")}, {"rate": 0.0}, {"rate": -5.0}, {"jitter": -0.1}),
        *({"loss": 101.0}, {"loss": -1.0}, {"duplicate": 101.0}, {"corrupt": -1.0}, {"queue": 0}),
        *({"jitter": 2.0, "delay": 1.0}, {"reorder": 5.0}, {"burst": 3.0}, {"loss": 60.0, "burst": 1.0}),
        *({"distribution": "round"}, {"rate": 0.001}, {"rate": 0.1, "mtu": 65535}),
    ],
)
def test_absurd_values_are_refused(absurd: dict[str, float]) -> None:
    with pytest.raises(ShaperError, match="a link cannot"):
        Shape(**absurd)  # type: ignore[arg-type]


def test_a_rate_that_no_packet_gets_through_is_told_with_what_it_needs() -> None:
    with pytest.raises(ShaperError, match=r"0.01 Mbit/s a packet of 1514 bytes takes 1.2 s; it needs 0.0121"):
        Shape(rate=0.01)


def test_a_burst_is_a_way_into_the_bad_state_and_out_of_it() -> None:
    begins, ends = Shape(loss=2.0, burst=4.0).gilbert or (0, 0)

    assert ends == 0.25
    assert begins / (begins + ends) == pytest.approx(0.02)
    assert Shape(loss=2.0).gilbert is None


def test_what_the_memory_cannot_hold_is_refused_with_what_it_needs() -> None:
    line = LinkState("A-B", 1, Shape(5000.0, 100_000.0), Shape(20.0, 100.0))

    assert Shape(50.0, 100.0).memory == 1.5 * (625_000 + 2_500_000)
    memory.hold([line], 2000 << 30)
    with pytest.raises(ShaperError, match=r"A-B: .* need 436.6 GiB of memory .* half of the 8.0 GiB"):
        memory.hold([line], 8 << 30)
    assert line.ab.held > 8_000_000, "netem and the wire have room for all packets under way"


def test_the_path_takes_its_part_of_the_delay() -> None:
    line = replace(LinkState("A-B", 1, Shape(10.0), Shape(0.01)), trim=0.04)

    assert (line.imposed("ab"), line.imposed("ba")) == (pytest.approx(9.96), 0.0)
    assert line.seen("ab", line.imposed("ab")) == pytest.approx(10.0)
    assert line.seen("ba", line.imposed("ba")) == pytest.approx(0.01)


def test_a_change_leaves_the_other_parameters_and_the_other_direction() -> None:
    line = Wiring(SPEC, 1, 2).line

    changed = line.changed(("ba",), loss=2.0)

    assert changed.ab == line.ab
    assert changed.ba == Shape(delay=10.875, rate=200.0, loss=2.0)
    assert line.changed(DIRECTIONS, rtt=10.0).ab.delay == 5.0
    with pytest.raises(UnknownName, match="did you mean 'loss'"):
        line.changed(DIRECTIONS, los=1.0)
    with pytest.raises(ShaperError):
        line.changed(DIRECTIONS, delay=-1.0)


def test_what_is_asked_survives_the_process(tmp_path: Path) -> None:
    line = Wiring(SPEC, 1, 2).line.changed(("ab",), queue=5000)
    store.LinkStore(tmp_path).keep({"AMS-PRG": line})

    assert store.LinkStore(tmp_path).lines == {"AMS-PRG": line}
    assert store.LinkStore(tmp_path).find("AMS-PRG") == line
    with pytest.raises(UnknownName, match="AMS-PRG"):
        store.LinkStore(tmp_path).find("ams-prg")


def test_a_shaper_refuses_what_it_cannot_do_and_names_the_other() -> None:
    line = LinkState("AMS-PRG", 1, Shape(duplicate=1.0), Shape(corrupt=1.0, delay=5.0, jitter=1.0))

    shaper.refuse(Netem, [line])
    with pytest.raises(
        ShaperError, match=r"AMS-PRG: wire cannot impose corrupt, duplicate; netem can \(--shaper netem\)"
    ):
        shaper.refuse(Wire, [line])


@pytest.mark.parametrize(
    ("got", "field"),
    [
        (Shape(9.0, 50.0, 1.0), "delay was set to 10.0 ms and reads back as 9.0"),
        (Shape(10.0, 49.0, 1.0), "rate was set to 50.0 Mbit/s"),
        (Shape(10.0, None, 1.0), "rate was set to 50.0 Mbit/s and reads back as None"),
        (Shape(10.0, 50.0, 0.0), "loss was set to 1.0 %"),
        (Shape(10.0, 50.0, 1.0, 0.5), "jitter was set to 0.0 ms"),
        (Shape(10.0, 50.0, 1.0, burst=2.0), "burst was set to None packets and reads back as 2.0"),
        (Shape(10.0, 50.0, 1.0, duplicate=2.0), "duplicate was set to 0.0 %"),
        (Shape(10.0, 50.0, 1.0, corrupt=2.0), "corrupt was set to 0.0 %"),
        (Shape(10.0, 50.0, 1.0, reorder=2.0), "reorder was set to 0.0 %"),
        (Shape(10.0, 50.0, 1.0, queue=9), "queue was set to"),
    ],
)
def test_every_field_is_compared(got: Shape, field: str) -> None:
    line = LinkState("A-B", 1, Shape(10.0, 50.0, 1.0), Shape())

    with pytest.raises(ShaperError, match=field):
        readback.same(line, "ab", got)
    readback.same(line, "ab", Shape(10.0004, 50.00001, 1.00002))


class Kernel:
    """Answers the probes of a kernel with or without netem and the wire."""

    def __init__(self, netem: bool, wire: bool, root: bool = True) -> None:
        self.netem, self.wire, self.root = netem, wire, root

    async def __call__(self, argv: Any, **_: Any) -> Result:
        assert argv[:2] == ["unshare", "--net"], "probes leave no name behind"
        if not self.root:
            raise CommandError("this machine", argv, 1, "", "unshare: Operation not permitted")
        if argv[2] == "tc" and not self.netem:
            raise CommandError("this machine", argv, 1, "", "Error: Specified qdisc kind is unknown.\nmore")
        words = '{"variant": "nft", "lead": 1}' if self.wire else '{"reason": "no NFQUEUE"}'
        return Result(tuple(argv), 0, "" if argv[2] == "tc" else words, "", 0.0)


@pytest.mark.parametrize(
    ("kernel", "name", "kind"),
    [
        (Kernel(netem=True, wire=True), "auto", Netem),
        (Kernel(netem=False, wire=True), "auto", Wire),
        (Kernel(netem=True, wire=True), "wire", Wire),
    ],
)
async def test_the_first_shaper_that_works_is_chosen(kernel: Kernel, name: str, kind: type) -> None:
    assert await shaper.choose(name, kernel) is kind


async def test_no_shaper_is_one_sentence_with_both_reasons() -> None:
    with pytest.raises(MachineError) as told:
        await shaper.choose("auto", Kernel(netem=False, wire=False))

    assert "netem: this kernel or user cannot have it (Error: Specified qdisc kind is unknown.)" in str(
        told.value
    )
    assert "wire: no NFQUEUE" in str(told.value)
    assert "\n" not in str(told.value)


async def test_a_named_shaper_that_cannot_be_had_is_an_error() -> None:
    with pytest.raises(MachineError, match="netem"):
        await shaper.choose("netem", Kernel(netem=False, wire=True))
    with pytest.raises(MachineError, match="run it as root"):
        await shaper.choose("wire", Kernel(netem=True, wire=True, root=False))
    with pytest.raises(UnknownName, match="did you mean 'netem'"):
        await shaper.choose("nettem", Kernel(netem=True, wire=True))


def test_the_documented_table_is_the_codes() -> None:
    page = ROOT / "docs" / "links.md"

    assert shaper.abilities() in page.read_text(), (
        "put the output of lab.emulation.links.shaper.abilities() into docs/links.md"
    )
    assert {name for kind in shaper.kinds() for name in kind.can} == set(shaper.MEANINGS)
