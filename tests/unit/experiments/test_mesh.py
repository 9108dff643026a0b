"""The mesh: what is offered to its circuits, and the claim about the TCP of 2016."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest

from experiments import mesh
from lab import catalog
from lab.published import CONTROL, THROUGHPUTS, of_circuit
from lab.report.claims import OPEN, REFUTED, REPRODUCED, Answer
from lab.runs.experiment import Cell
from lab.topology import Topology
from tests.unit.synthetic import synthetic

LOSSY = "full_mesh:sites=AMS+BRA+LJU+MIL,loss=0.001"


def test_datagrams_are_offered_at_the_rate_of_the_links() -> None:
    """More than a link carries was offered once: of two fragments hardly ever both came through."""
    topology = catalog.topology("full_mesh")
    for rate, offered in ((50.0, "50M"), (None, "1000M")):
        profile = replace(mesh.Mesh.profiles["quick"], rate=rate)
        cells = mesh.Mesh().cells(topology, "underlay", profile)
        argv = mesh.Mesh.tools["udp1470"].argv("192.0.2.1", next(c for c in cells if c.metric == "udp1470"))
        assert argv[argv.index("-b") + 1] == offered


def tcp_of_2016(path: Path, topology: str, share: float) -> Answer:
    """Answer the claim from a run whose TCP is `share` of the mean that was published of each link."""

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        rows = of_circuit(THROUGHPUTS, CONTROL, cell.params["from"], cell.params["to"])
        published = mean(row.tcp for row in rows if row.tcp is not None) if rows else 100.0
        return {"mean_ms": 1.0, "received_mbps": share * published * chance.uniform(0.99, 1.01)}

    found = synthetic(
        path, ("underlay",), values=values, topology=catalog.topology(topology), experiment=mesh.Mesh()
    )
    (claim,) = (claim for claim in mesh.Mesh.claims if claim.text.startswith("A loss of one packet"))
    return claim.answer(found)


@pytest.mark.parametrize(("share", "verdict"), [(1.0, REPRODUCED), (1.4, REFUTED), (0.7, REFUTED)])
def test_tcp_of_2016_is_compared_with_each_of_the_18_published_rows(
    share: float, verdict: str, tmp_path: Path
) -> None:
    answer = tcp_of_2016(tmp_path, LOSSY, share)
    assert answer.verdict == verdict
    assert len(answer.findings) == 18


def test_tcp_of_2016_cannot_be_told_of_links_without_loss(tmp_path: Path) -> None:
    answer = tcp_of_2016(tmp_path, "full_mesh", 1.0)
    assert answer.verdict == OPEN
    assert "--topology full_mesh:loss=0.001" in answer.text
