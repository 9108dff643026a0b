"""The known name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from itertools import takewhile

#: Names looked at: finding the nearest of ten thousand takes longer than reading the document.
MOST = 500


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to this one, whatever the case; None when none is near."""
    upper = {other.upper(): other for other in list(dict.fromkeys(known))[:MOST]}
    wanted = name.upper()[:100]
    near = get_close_matches(wanted, upper, n=10)

    def likeness(other: str) -> tuple[float, int]:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(other, wanted, strict=False))
        return SequenceMatcher(None, other, wanted).ratio(), sum(1 for _ in alike)

    return upper[max(near, key=likeness)] if near else None
