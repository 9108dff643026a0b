"""The random part of a wire's impairments: jitter, loss in bursts, packets that go ahead.

The wire's process imports this module; it stays within the standard library. Distributions are
those of `lab.emulation.links.netem_tables`, which are netem's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from random import Random
from typing import Any

#: No packet's jitter is more than so many standard deviations, whichever shaper imposes it.
WIDEST = 4.0
#: Pareto's distribution of shape 3 (as in iproute2's table), cut where it is four standard deviations
#: from its mean; those of what is left, by integration.
PARETO_MOST = 3.7
PARETO_MEAN = 1.5 - 0.5 * PARETO_MOST**-2
PARETO_DEVIATION = sqrt(3 - 2 / PARETO_MOST - PARETO_MEAN**2)


class Variation:
    """The fate of the packets of one direction.

    Args:
        asked: ``jitter`` (ns, standard deviation), ``distribution``, ``begins`` and ``ends`` (chances
            of going into the state in which packets are lost, and back), ``reorder`` (share).
        chance: what is random.
    """

    def __init__(self, asked: Mapping[str, Any], chance: Random | None = None) -> None:
        self.asked = dict(asked)
        self._chance = chance or Random()
        self._jitter = float(asked.get("jitter", 0))
        self._begins, self._ends = (float(asked.get(word, 0)) for word in ("begins", "ends"))
        self._reorder = float(asked.get("reorder", 0))
        self._draw = self._sampler(str(asked.get("distribution", "normal")))
        self._bad = False

    def lost(self) -> bool:
        """Return True when the next packet is lost."""
        bad = self._bad
        if self._begins:
            self._bad = self._chance.random() >= self._ends if bad else self._chance.random() < self._begins
        return bad

    def early(self) -> bool:
        """Return True when the next packet goes ahead, without a delay."""
        return self._reorder > 0 and self._chance.random() < self._reorder

    def extra(self) -> int:
        """Return how much longer (ns) than the mean the next packet is delayed; negative when shorter."""
        if not self._jitter:
            return 0
        return round(self._jitter * max(-WIDEST, min(WIDEST, self._draw())))

    def _sampler(self, distribution: str) -> Callable[[], float]:
        chance = self._chance
        if distribution == "uniform":
            return lambda: chance.uniform(-sqrt(3), sqrt(3))
        if distribution == "pareto":
            return lambda: (min(PARETO_MOST, chance.paretovariate(3)) - PARETO_MEAN) / PARETO_DEVIATION
        return lambda: chance.gauss(0, 1)
