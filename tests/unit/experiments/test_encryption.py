"""Encryption: each kind beside its own overlay."""

from __future__ import annotations

import random
from pathlib import Path

from experiments import encryption
from experiments.encryption import WEAVE, Encryption, against_weave
from lab import catalog
from lab.runs.experiment import Cell
from lab.topology import Topology
from tests.unit.synthetic import synthetic


def test_every_overlay_that_encrypts_stands_beside_itself_in_the_clear() -> None:
    for clear, encrypted in encryption.PAIRS:
        assert clear.split(":")[0] == encrypted.split(":")[0]
        assert encrypted.endswith(("encryption=on", "wireguard"))


def test_flannel_with_wireguard_is_compared_with_encrypted_weave(tmp_path: Path) -> None:
    """The question of the thesis, section 7.1."""

    def values(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
        carried = 50.0 if cell.overlay == WEAVE else 150.0
        return {"received_mbps": carried, "sent_mbps": carried, "mean_ms": 20.0}

    topology = catalog.topology("point_to_point")
    flannel = "flannel:backend=wireguard"
    run = synthetic(
        tmp_path / "both",
        ("weave", WEAVE, "flannel", flannel),
        experiment=Encryption(),
        topology=topology,
        values=values,
    )
    (table,) = against_weave(run)
    assert table.sections[0].rows == [[flannel, "3.00 [3.00–3.00]", "3.00 [3.00–3.00]", "1.00 [1.00–1.00]"]]
    assert table in Encryption().tables(run)
    alone = synthetic(
        tmp_path / "alone", ("flannel", flannel), experiment=Encryption(), topology=topology, values=values
    )
    assert against_weave(alone) == []
