"""Instructions by function: addresses become names, two boots are subtracted, the rest is a row."""

from __future__ import annotations

from lab.icount import profile
from lab.icount.profile import PROGRAMS, Symbols

KALLSYMS = """\
ffffffff81000000 T _text
ffffffff81000100 t ip_rcv
ffffffffc0000000 t vxlan_xmit\t[vxlan]
"""


def test_an_address_has_the_function_that_it_is_in() -> None:
    symbols = Symbols.read(KALLSYMS)
    assert symbols.name(0xFFFFFFFF81000100) == "ip_rcv"
    assert symbols.name(0xFFFFFFFF810001FF) == "ip_rcv"
    assert symbols.name(0xFFFFFFFFC0000123) == "vxlan_xmit [vxlan]"
    assert symbols.name(0x401000) == PROGRAMS


def test_what_only_the_boot_costs_is_subtracted() -> None:
    few = "ffffffff81000000 5000\nffffffff81000100 100\n401000 50\n"
    many = "ffffffff81000000 5000\nffffffff81000100 250\nffffffff81000108 50\n401000 70\n"
    found = profile.by_function(few, many, Symbols.read(KALLSYMS), 10)
    assert found == {"ip_rcv": 20.0, PROGRAMS: 2.0}


def test_the_table_has_the_largest_differences_and_the_rest() -> None:
    profiles = {"plain": {"a": 10.0, "b": 5.0, "c": 1.0}, "overlay": {"a": 12.0, "b": 5.0, "d": 30.0}}
    assert profile.table(profiles, 2) == [
        ["d", "0", "30"],
        ["a", "10", "12"],
        ["all other functions", "6", "5"],
        ["all", "16", "47"],
    ]
