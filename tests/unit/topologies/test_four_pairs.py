"""Four pairs that do not touch."""

from __future__ import annotations

from lab import catalog


def test_the_four_pairs_do_not_touch_and_say_so() -> None:
    pairs = catalog.topology("four_pairs")

    assert pairs.separate_parts
    assert [(link.a, link.b) for link in pairs.links] == [
        ("vmAMS", "vmBRA"),
        ("libAMS", "libBRA"),
        ("weaveAMS", "weaveBRA"),
        ("flanAMS", "flanBRA"),
    ]
