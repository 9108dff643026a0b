"""Captions: an overlay's name in a figure says each thing once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.report import captions
from tests.unit.synthetic import throughput_run


@pytest.mark.parametrize(
    ("overlay", "mode", "said"),
    [
        ("weave", "sleeve", "weave (sleeve)"),
        ("libnetwork:mode=swarm,encryption=on", "swarm", "libnetwork, encryption on (swarm)"),
        ("flannel:backend=wireguard", "wireguard", "flannel (wireguard)"),
        ("nebula:cipher=chachapoly", "", "nebula, cipher chachapoly"),
        ("wireguard", "wireguard", "wireguard"),
    ],
)
def test_a_label_says_options_and_modes_once(tmp_path: Path, overlay: str, mode: str, said: str) -> None:
    run = throughput_run(tmp_path, 9.0)
    own = {"overlay": overlay, "mode": {"mode": mode} if mode else {}}
    samples = [sample.model_copy(update=own) for sample in run.samples[:1]]
    assert captions.label(replace(run, samples=samples), overlay) == said
