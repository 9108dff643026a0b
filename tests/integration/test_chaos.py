"""Commands of the lab, killed at random moments: a short form of `make chaos`, always with the same seed."""

from __future__ import annotations

import os

import pytest

from tests.chaos.run import Occupied, chaos

SEED = int(os.environ.get("LAB_CHAOS_SEED") or 1)


@pytest.mark.parametrize(("rounds", "at_once"), [(2, 1)])
def test_what_a_killed_command_left_goes_and_nothing_else(
    docker_daemon: None, rounds: int, at_once: int
) -> None:
    try:
        found = chaos(SEED, rounds, at_once, short=True)
    except Occupied as why:
        pytest.skip(str(why))
    assert not found.all, f"LAB_CHAOS_SEED={SEED} repeats it:\n" + "\n".join(found.all)
