"""The memory that links may take. No root."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation.links import queue_memory
from lab.emulation.links.link import LinkState, Shape
from lab.errors import ShaperError


def test_what_the_memory_cannot_hold_is_refused_with_what_it_needs() -> None:
    line = LinkState("A-B", 1, Shape(5000.0, rate=100_000.0), Shape(20.0, rate=100.0))

    assert Shape(50.0, rate=100.0).memory == 1.5 * (625_000 + 2_500_000)
    queue_memory.check([line], 2000 << 30)
    with pytest.raises(ShaperError, match=r"A-B: .* need 436.6 GiB of memory .* half of the 8.0 GiB"):
        queue_memory.check([line], 8 << 30)
    assert line.ab.held > 8_000_000, "netem and the wire have room for all packets under way"


@pytest.mark.parametrize(("share", "fits"), [(0.49, True), (0.51, False)])
def test_links_get_half_of_the_memory_that_is_free(share: float, fits: bool) -> None:
    links = [
        LinkState(name, 1, Shape(500.0, rate=1000.0), Shape(20.0, rate=100.0)) for name in ("A-B", "B-C")
    ]
    free = int(sum(queue_memory.needed(link) for link in links) / share)
    if fits:
        queue_memory.check(links, free)
        return
    with pytest.raises(
        ShaperError, match=r"B-C: .* need [\d.]+ MiB of memory .*, all links [\d.]+ MiB; half"
    ):
        queue_memory.check(links, free)


def test_free_is_what_can_be_had_without_swapping(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert str(queue_memory.MEMINFO) == "/proc/meminfo"
    monkeypatch.setattr(queue_memory, "MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemFree:  100 kB\nMemAvailable:  300 kB\n")
    assert queue_memory.available() == 300 * 1024


def test_links_that_take_just_half_fit_and_without_links_nothing_is_needed() -> None:
    link = LinkState("A-B", 1, Shape(8.0, rate=100.0, queue=50_000), Shape())
    assert queue_memory.needed(link) == 225_000
    queue_memory.check([link], 450_000)
    with pytest.raises(ShaperError):
        queue_memory.check([link], 449_998)
    queue_memory.check([], 0)


@pytest.mark.parametrize(
    ("count", "words"),
    [(2**30, "1.0 GiB"), (2**30 - 1, "1024.0 MiB"), (3 * 2**29, "1.5 GiB"), (2**19, "0.5 MiB")],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert queue_memory._size(count) == words
