"""Prices of work in virtual time."""

from __future__ import annotations

import pytest

from lab.errors import LabError
from lab.virtual import cost


def test_prices_are_read_and_become_the_parameters_of_the_kernel() -> None:
    costs = cost.parse(["weaver=50,tincd=2.5", "upcall=200", "etcd=0"])
    assert costs == {"weaver": 50.0, "tincd": 2.5, "upcall": 200.0}
    assert cost.parameters(costs) == {"prices": "tincd:2500,weaver:50000", "upcall_ns": "200000"}
    assert cost.parameters({}) == {}


@pytest.mark.parametrize(
    "word", ["weaver", "weaver=", "=5", "weaver=-1", "weaver=fast", "a=nan", "1e9", "x" * 16 + "=1", "a b=1"]
)
def test_a_word_that_is_no_price_is_refused(word: str) -> None:
    with pytest.raises(LabError, match="is no price"):
        cost.parse([word])


def test_absurd_prices_and_too_many_programs_are_refused() -> None:
    with pytest.raises(LabError, match="the highest price is 1,000,000 µs"):
        cost.parse(["weaver=1000001"])
    with pytest.raises(LabError, match="at most 8 programs"):
        cost.parse([f"p{n}=1" for n in range(9)])
