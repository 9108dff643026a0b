"""A topology in words."""

from __future__ import annotations

import re

from lab import catalog
from lab.draw import summary


def test_the_summary_has_hosts_links_and_expected_round_trips() -> None:
    text = summary.text(catalog.topology("linear"))

    assert text.startswith("linear: Test Weave's hop-routing feature (6 hosts, 5 links, 5 sites)\n")
    assert re.search(
        r"^AMS +\. +21\.75 \(1\) +26\.45 \(2\) +68\.03 \(3\) +120\.60 \(4\) +161\.23 \(5\)$", text, re.M
    )
    assert "192.168.5.5 192.168.5.6" in text


def test_the_summary_of_many_hosts_is_cut_and_of_parts_says_so() -> None:
    assert "and 40 more" in summary.text(catalog.topology("grid", rows=10, columns=10))
    pairs = summary.text(catalog.topology("four_pairs"))
    assert "4 parts" in pairs
    assert "apart" in pairs
