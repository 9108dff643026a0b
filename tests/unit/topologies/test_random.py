"""Random graphs: a seed gives the same one everywhere."""

from __future__ import annotations

import hashlib
import json

import pytest

from lab import catalog


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        ("random", "0b334658208f957d"),
        ("random:hosts=40,model=erdos_renyi,seed=3", "5a7a92a44f16737c"),
        ("random:hosts=30,seed=9", "8d23c88c23f65f7b"),
    ],
)
def test_a_seed_gives_the_same_graph_on_every_machine(spec: str, digest: str) -> None:
    """Written down once; whoever gets another one has found a machine or a Python that differs."""
    data = json.dumps(catalog.topology(spec).to_dict(), sort_keys=True)

    assert hashlib.sha256(data.encode()).hexdigest()[:16] == digest
