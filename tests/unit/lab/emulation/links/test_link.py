"""The state of a link: what follows from what was asked, and what is refused. No root."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from lab.emulation.links.link import DIRECTIONS, LEAST_HELD, OVERHEAD, WIDEST, LinkState, Shape, Wiring
from lab.errors import ShaperError, UnknownName
from tests.unit.lab.emulation.links.fakes import SPEC


def test_half_of_the_round_trip_goes_each_way() -> None:
    line = Wiring(SPEC, 17, "lab-x").state

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


def test_the_path_takes_its_part_of_the_delay() -> None:
    line = replace(LinkState("A-B", 1, Shape(10.0), Shape(0.01)), trim=0.04)

    assert (line.imposed_delay("ab"), line.imposed_delay("ba")) == (pytest.approx(9.96), 0.0)
    assert line.resulting_delay("ab", line.imposed_delay("ab")) == pytest.approx(10.0)
    assert line.resulting_delay("ba", line.imposed_delay("ba")) == pytest.approx(0.01)


def test_a_change_leaves_the_other_parameters_and_the_other_direction() -> None:
    line = Wiring(SPEC, 1, 2).state

    changed = line.changed(("ba",), loss=2.0)

    assert changed.ab == line.ab
    assert changed.ba == Shape(delay=10.875, rate=200.0, loss=2.0)
    assert line.changed(DIRECTIONS, rtt=10.0).ab.delay == 5.0
    with pytest.raises(UnknownName, match="did you mean 'loss'"):
        line.changed(DIRECTIONS, los=1.0)
    with pytest.raises(ShaperError):
        line.changed(DIRECTIONS, delay=-1.0)


def test_a_direction_holds_what_is_under_way_twice_and_four_deviations_of_jitter() -> None:
    assert Shape(delay=50.0, rate=1000.0).held == LEAST_HELD
    fast = Shape(delay=500.0, rate=10_000.0, jitter=25.0)
    assert fast.held == round(2 * 10_000e6 / 8 * (0.5 + WIDEST * 0.025) / 1514)
    assert Shape(delay=500.0).held == LEAST_HELD


def test_memory_is_that_of_packets_under_way_and_of_a_full_queue() -> None:
    assert Shape(delay=8.0, rate=100.0, queue=50_000).memory == round(OVERHEAD * (100_000 + 50_000))
    assert Shape(delay=8.0, queue=50_000).memory == 0


def test_a_shaper_needs_what_is_asked_and_no_distribution_by_itself() -> None:
    assert Shape(delay=5.0, loss=1.0, distribution="pareto").needed == {"delay", "loss"}
    assert Shape().needed == frozenset()


@pytest.mark.parametrize("name", ["loss", "duplicate", "corrupt", "reorder"])
def test_packets_go_singly_where_single_ones_are_hit(name: str) -> None:
    assert Shape(delay=5.0, **{name: 1.0}).by_packet  # type: ignore[arg-type]
    assert not Shape(delay=5.0, jitter=1.0, rate=5.0).by_packet


def test_each_direction_has_its_own_number_bridge_and_shape() -> None:
    line = LinkState("A-B", 3, Shape(1.0), Shape(2.0))
    assert LinkState("A-B", 3) == LinkState("A-B", 3, Shape(), Shape(), "", "", "", "", 0.0, False)
    assert line.bridge == "br3"
    assert [line.direction_number(d) for d in DIRECTIONS] == [6, 7]
    assert [line.shape(d).delay for d in DIRECTIONS] == [1.0, 2.0]


def test_a_running_link_may_be_set_to_lose_everything() -> None:
    assert Shape(loss=100.0).loss == 100.0
    with pytest.raises(ShaperError, match=r"loss 100.5 percent is not between 0 and 100"):
        Shape(loss=100.5)


def test_a_packet_may_take_a_second_and_no_longer() -> None:
    slowest = Shape().packet * 8 / 1e6
    assert Shape(rate=slowest).rate == slowest
    with pytest.raises(ShaperError, match=r"takes 1.0 s"):
        Shape(rate=slowest * 0.99)


def test_a_link_that_is_stored_is_the_same_again() -> None:
    line = replace(Wiring(SPEC, 1, 2).state, trim=0.5, down=True)
    assert LinkState.from_json(asdict(line)) == line
    assert (line.interface_a, line.interface_b) == ("eth1", "eth2")


@pytest.mark.parametrize(("given", "burst"), [({"loss": 0}, None), ({"loss": 5.0}, 4.0)])
def test_without_a_loss_there_are_no_bursts(given: dict[str, float], burst: float | None) -> None:
    bursty = LinkState("A-B", 1, Shape(loss=2.0, burst=4.0), Shape(loss=2.0, burst=4.0))
    changed = bursty.changed(("ab",), **given)
    assert (changed.ab.burst, changed.ba.burst) == (burst, 4.0)


def test_a_shaper_needs_every_parameter_that_is_asked() -> None:
    every = Shape(5.0, jitter=1.0, loss=1.0, burst=3.0, duplicate=1.0, corrupt=1.0, rate=9.0, queue=9000)
    assert every.needed == {"delay", "jitter", "loss", "burst", "duplicate", "corrupt", "rate", "queue"}
