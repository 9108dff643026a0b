"""Traffic between two endpoints: which hosts they are on, and what a sample says of its receiver."""

from __future__ import annotations

from experiments import throughput
from experiments.common.traffic import OVERFLOW
from lab import catalog
from tests.unit.experiments.helpers import endpoints, grid, text
from tests.unit.fakes import FakeHost


def test_of_four_pairs_each_overlay_is_measured_on_its_own() -> None:
    pairs = catalog.topology("four_pairs")
    experiment = throughput.Throughput()
    found = {
        name: next(
            (c.params["from"], c.params["to"])
            for c in experiment.cells(pairs, name, experiment.profiles["quick"])
        )
        for name in ("underlay", "libnetwork", "weave", "flannel", "tinc")
    }
    assert found == {
        "underlay": ("vmAMS", "vmBRA"),
        "libnetwork": ("libAMS", "libBRA"),
        "weave": ("weaveAMS", "weaveBRA"),
        "flannel": ("flanAMS", "flanBRA"),
        "tinc": ("vmAMS", "vmBRA"),
    }


async def test_a_sample_of_udp_has_the_datagrams_that_its_receiver_did_not_take() -> None:
    experiment = throughput.Throughput()
    cell = next(one for one in grid(experiment) if one.metric == "udp1470")
    counter = iter(["Udp: RcvbufErrors\nUdp: 40\n", "Udp: RcvbufErrors\nUdp: 52\n"])
    found = endpoints(catalog.topology(experiment.topology), {"iperf3": text("iperf3/udp-1470.json")})
    target = found[cell.params["to"]]
    object.__setattr__(target, "host", FakeHost("BRA", lambda argv: (0, next(counter))))
    reading = await experiment.measure(cell, found)
    assert reading.facts[OVERFLOW] == "12"
    assert reading.values == experiment.parse(cell.metric, reading.raw)
    # a kernel that does not tell it makes no number up
    without = endpoints(catalog.topology(experiment.topology), {"iperf3": text("iperf3/udp-1470.json")})
    assert OVERFLOW not in (await experiment.measure(cell, without)).facts
