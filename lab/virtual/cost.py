"""Prices of work in virtual time: ``PROGRAM=50`` is 50 µs for each read or write of such a program.

Without a price work takes no time, and a result says what the protocols do. With prices it says what
machines of that kind would do. Work of one host is done one piece after the other, as on one CPU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lab.errors import LabError

#: The name under which an upcall has its price: a packet that Open vSwitch hands to user space.
UPCALL = "upcall"
#: The highest price (µs): longer than any overlay waits for an answer.
MOST = 1_000_000.0
#: How many programs can have a price, and how long the name of one can be: the kernel's additions say so.
PROGRAMS, LONGEST = 8, 15
_PRICE = re.compile(r"([A-Za-z0-9_.-]+)=([0-9]+(?:\.[0-9]+)?)")


def parse(words: Sequence[str]) -> dict[str, float]:
    """Read prices (µs) from ``NAME=MICROSECONDS``, several with commas between them.

    Raises:
        LabError: one cannot be read, or is above `MOST`, or there are more programs than can have one.
    """
    costs: dict[str, float] = {}
    for word in (part.strip() for one in words for part in one.split(",")):
        found = _PRICE.fullmatch(word)
        if found is None or len(found[1]) > LONGEST:
            raise LabError(
                f"--cost {word!r} is no price; give PROGRAM=MICROSECONDS for each read or write of a program "
                f"(PROGRAM=50), or {UPCALL}=MICROSECONDS for each packet that Open vSwitch hands to one"
            )
        if float(found[2]) > MOST:
            raise LabError(f"--cost {word}: the highest price is {MOST:,.0f} µs")
        costs[found[1]] = float(found[2])
    if len(costs.keys() - {UPCALL}) > PROGRAMS:
        raise LabError(f"--cost: at most {PROGRAMS} programs can have a price")
    return {name: price for name, price in sorted(costs.items()) if price}


def parameters(costs: Mapping[str, float]) -> dict[str, str]:
    """Return the parameters of the kernel's additions for prices (µs); there they are in ns."""
    programs = {name: price for name, price in costs.items() if name != UPCALL}
    prices = ",".join(f"{name}:{price * 1000:.0f}" for name, price in programs.items())
    upcall = {"upcall_ns": f"{costs[UPCALL] * 1000:.0f}"} if UPCALL in costs else {}
    return {**({"prices": prices} if prices else {}), **upcall}
