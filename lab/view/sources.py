"""The sources of a page, by what the user named."""

from __future__ import annotations

from lab.feed.source import FeedSource
from lab.feed.watch import LabWatch


def sources_of(what: str) -> list[FeedSource]:
    """Return what has the news of a lab."""
    return [LabWatch(what)]
