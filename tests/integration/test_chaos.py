"""Commands of the lab, killed at random moments: a short form of `make chaos`, with a new seed each time."""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.run import Occupied, chaos

SEED = int(os.environ.get("LAB_CHAOS_SEED") or random.SystemRandom().randrange(1 << 32))


@pytest.mark.parametrize(("rounds", "at_once"), [(2, 1), (1, 2)])
def test_what_a_killed_command_left_goes_and_nothing_else(
    docker_daemon: None, rounds: int, at_once: int
) -> None:
    try:
        found = chaos(SEED, rounds, at_once, short=True)
    except Occupied as why:
        pytest.skip(str(why))
    assert not found.all, f"LAB_CHAOS_SEED={SEED} repeats it:\n" + "\n".join(found.all)
