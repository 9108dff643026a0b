"""Groups of samples, and their words."""

from __future__ import annotations

from lab.report.selection import Group, text


def test_a_group_counts_the_valid_and_marks_the_rest() -> None:
    assert text(Group([21.7, 21.8, 21.9], [])) == "21.80 ± 0.10 [21.55–22.05]"
    assert text(Group([20.0, 21.0, 22.0], [99.0]), 1) == "21.0 ± 1.0 [18.5–23.5] (3 of 4 valid)"
    assert text(Group([], [5.0, 6.0, 7.0]), 1) == "6.0 ± 1.0 (none of 3 valid)"
    assert text(Group([5.0], []), 1) == "5.0"
    assert text(Group([], [])) == "–"
