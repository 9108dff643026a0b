"""Limits: what a link carries of a sample's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import catalog
from lab.report.limits import data_share, link_limit, topology_of
from lab.runs.sample import Sample
from tests.unit.synthetic import throughput_run


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """One of AMS to BRA."""
    return throughput_run(tmp_path_factory.mktemp("run"), 9.0).samples[0]


@pytest.mark.parametrize(
    ("update", "share"),
    [
        ({"values": {}, "congestion_control": "cubic"}, 1448 / 1514),
        ({"values": {"datagram_bytes": 1470.0}, "congestion_control": None}, 1470 / 1512),
        # 8192 bytes and a header of UDP are in six packets
        ({"values": {"datagram_bytes": 8192.0}, "congestion_control": None}, 8192 / (8200 + 6 * 34)),
        # a byte more than one packet holds
        ({"values": {"datagram_bytes": 1473.0}, "congestion_control": None}, 1473 / (1481 + 2 * 34)),
        ({"values": {}, "congestion_control": None}, 1.0),
    ],
)
def test_headers_that_are_known_are_taken_off(
    sample: Sample, update: dict[str, object], share: float
) -> None:
    assert data_share(sample.model_copy(update=update)) == pytest.approx(share)


def test_the_slowest_link_on_the_way_is_the_limit(sample: Sample) -> None:
    chain = catalog.topology("linear:rate=10")
    tcp = sample.model_copy(update={"params": {"from": "AMS", "to": "MIL"}, "congestion_control": "cubic"})
    assert link_limit(chain, tcp) == pytest.approx(9.564, abs=0.001)


@pytest.mark.parametrize("params", [{"from": "AMS", "to": "nowhere"}, {}, {"from": "AMS", "to": "BRA"}])
def test_without_a_way_or_a_rate_there_is_none(sample: Sample, params: dict[str, str]) -> None:
    assert link_limit(catalog.topology("linear"), sample.model_copy(update={"params": params})) is None


def test_a_topology_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 9.0)
    assert topology_of(run) is not None
    run.manifest.topology = {"hosts": "?"}
    assert topology_of(run) is None
