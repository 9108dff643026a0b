"""Traffic between two endpoints: which hosts they are on."""

from __future__ import annotations

from experiments import throughput
from lab import catalog


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
