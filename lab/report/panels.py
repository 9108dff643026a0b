"""The parts of a figure, before it is drawn: means with their samples, in series, in panels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from lab.report.selection import Group

#: How many times the highest mean or sample another mark may be and still be in the picture.
FAR = 3.0
#: A limit of the link may be so many times the highest mean or sample.
FAR_LIMIT = 1.6
#: Above the highest mark, as a share of the scale.
HEADROOM = 1.06
LINK_LIMIT = "limit of the link"
HEADERS = (
    "Dashed: the rate of the slowest link on the path, without the headers of Ethernet, IP, and TCP or UDP. "
    "An overlay's own headers are not subtracted."
)


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval; the samples behind it, and those that do not count."""

    value: float
    low: float | None = None
    high: float | None = None
    valid: Sequence[float] = ()
    invalid: Sequence[float] = ()
    doubtful: bool = False

    @property
    def drawn(self) -> Sequence[float]:
        """All values that the scale must contain."""
        return (self.value, *self.valid, *self.invalid)

    def side_by_side(self, step: float) -> tuple[Sequence[float], Sequence[float]]:
        """Return the distances of samples from the middle: of those that count, then of those that do not."""
        count, split = len(self.valid) + len(self.invalid), len(self.valid)
        at = [(n - (count - 1) / 2) * step for n in range(count)]
        return at[:split], at[split:]


def mean(group: Group) -> Mean | None:
    """Return the mean of a group of samples; None of none."""
    found = group.summary
    if found is None:
        return None
    low, high = (None, None) if group.doubtful else (found.low, found.high)
    return Mean(found.mean, low, high, group.valid, group.invalid, group.doubtful)


@dataclass(frozen=True)
class PanelSeries:
    """Means of one kind, one a place; None where nothing was measured.

    `published` has what a study measured there, `limits` what the link allows, or what was asked of it.
    """

    label: str
    means: Sequence[Mean | None]
    published: Sequence[float | None] = ()
    limits: Sequence[float | None] = ()


@dataclass(frozen=True)
class Panel:
    """One set of axes. Places that are numbers make lines; words make bars, one below the other.

    `ticks` are names of numbers, where these need others. `at` says where the bars of each place lie, in
    units of a group of bars; `notes` has words for places without any.
    """

    title: str
    series: Sequence[PanelSeries]
    places: Sequence[float] | Sequence[str]
    x: str
    y: str
    ticks: Sequence[str] = ()
    at: Sequence[float] = ()
    notes: Mapping[int, str] = field(default_factory=dict)
    log: bool = False

    @property
    def lines(self) -> bool:
        """True where the places are numbers."""
        return not any(isinstance(place, str) for place in self.places)

    @property
    def rows(self) -> Sequence[float]:
        """The middle of the bars of each place, in units of a group of bars."""
        return self.at or [float(number) for number in range(len(self.places))]

    @property
    def means(self) -> Iterator[Mean]:
        """All means."""
        return (one for series in self.series for one in series.means if one)


@dataclass(frozen=True)
class Figure:
    """Panels, two a row; those of one quantity have one scale.

    `published` and `limit` go to the legend; `title`, `limit_means` and `conditions` to the caption.
    """

    title: str
    panels: Sequence[Panel]
    conditions: str
    published: str = "published 2016"
    limit: str = LINK_LIMIT
    limit_means: str = HEADERS

    def shows(self, marks: Literal["published", "limits"]) -> bool:
        """Return True where a mark of this kind is within the scale of its panel."""
        tops = {panel.y: self.scale(panel.y).top for panel in self.panels}
        return any(
            value is not None and (panel.log or value <= tops[panel.y])
            for panel in self.panels
            for series in panel.series
            for value in getattr(series, marks)
        )

    def scale(self, y: str) -> Scale:
        """Return the scale of the panels of one quantity."""
        return Scale([panel for panel in self.panels if panel.y == y])


@dataclass(frozen=True)
class Scale:
    """The range of values that panels of one quantity show; it holds all means and samples."""

    panels: Sequence[Panel]

    @cached_property
    def _values(self) -> Sequence[float]:
        return [value for panel in self.panels for one in panel.means for value in one.drawn]

    @property
    def _published(self) -> Iterator[float]:
        return (v for p in self.panels for s in p.series for v in s.published if v is not None)

    @property
    def _limits(self) -> Iterator[float]:
        return (v for p in self.panels for s in p.series for v in s.limits if v is not None)

    @property
    def top(self) -> float:
        """The highest value that is shown."""
        known = max(self._values, default=0.0)
        near = [v for v in self._published if v <= FAR * known] + [
            v for v in self._limits if v <= FAR_LIMIT * known
        ]
        return max(known, *near) * HEADROOM if near else known * HEADROOM

    @property
    def bottom(self) -> float:
        """The lowest value of the scale: 0, or less if values are below it."""
        return min([0.0, *(value * HEADROOM for value in self._values)])

    @property
    def beyond(self) -> Sequence[str]:
        """Sentences about marks that are beyond the scale."""
        words = []
        if any(value > self.top for value in self._published):
            words.append("Published values beyond the scale are in the table.")
        if far := {f"{value:.3g}" for value in self._limits if value > self.top}:
            words.append(f"The limit of the link is beyond the scale: {', '.join(sorted(far))}.")
        return words
