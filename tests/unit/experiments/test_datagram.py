"""Datagrams around the MTU: the claim of a later drop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.report.claims import (
    OPEN,
    REPRODUCED,
)
from tests.unit.experiments.helpers import about, as_in_2016, facts_of, made_up


def test_mtus_that_no_size_lies_between_tell_nothing_of_a_later_drop(tmp_path: Path) -> None:
    """1500 bytes of data fit into neither 1450 nor 1500 bytes: both drop from 1400 on."""
    run = made_up(tmp_path, "datagram", as_in_2016, facts_of=facts_of)
    assert about(run, "comes later") == REPRODUCED
    both = replace(run, samples=[s for s in run.samples if s.overlay != "weave"])
    assert about(both, "about 30 %") == REPRODUCED
    assert about(both, "comes later") == OPEN
