"""The links of a lab, read once an interval: rows of what is new, and settings that were changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic

from lab.emulation.links.gauge import Flow, Gauge
from lab.emulation.links.link import LinkState
from lab.emulation.links.shaper import Shaper
from lab.emulation.links.store import CURRENT
from lab.errors import ShaperError
from lab.feed import flows
from lab.feed.echoes import Echoes, EchoTarget
from lab.feed.flows import LinkHistory, Measured
from lab.feed.objects import COLUMNS, AskedLink, Plain, Row

#: What the figures of an unchanged direction are compared by: all but its place.
_FIGURES = slice(2, None)


class LinkWatch:
    """The links of one lab by a gauge and by echoes; `read` returns what a `links` object has."""

    def __init__(self, shaper: Shaper, folder: Path, addresses: Mapping[str, str], *, echo: bool) -> None:
        self._shaper, self._folder = shaper, folder
        self._states: Mapping[str, LinkState] = {}
        self._stamp = 0
        self._gauge: Gauge | None = None
        self._history: dict[str, LinkHistory] = {}
        self._at = 0.0
        self._changed: dict[str, AskedLink] = {}
        self.refresh()
        targets = {
            name: EchoTarget(state.end_a, addresses[name])
            for name, state in self._states.items()
            if addresses.get(name)
        }
        self._echoes = Echoes(targets if echo else {})
        #: Set to False while nothing but the traffic itself may pass.
        self.echoing = echo

    @property
    def states(self) -> Mapping[str, LinkState]:
        """The settings of each link, as last read."""
        return self._states

    def refresh(self) -> None:
        """Read again what is asked, where that was changed."""
        try:
            stamp = (self._folder / CURRENT).stat().st_mtime_ns
        except OSError:
            stamp = 0
        if stamp == self._stamp:
            return
        before, self._states, self._stamp = self._states, dict(self._shaper.states), stamp
        for number, (name, state) in enumerate(self._states.items()):
            if name in before and flows.asked(before[name]) != (now := flows.asked(state)):
                self._changed[str(number)] = now

    def read(self) -> tuple[Plain, dict[str, tuple[Measured, Measured]]]:
        """Return the fields of a `links` object with what is new, and all figures by link."""
        self.refresh()
        if self.echoing:
            self._echoes.receive()
        if self._gauge is None:
            self._gauge = self._shaper.gauge()
        read, now = self._gauge.read(self._states), monotonic()
        seconds, self._at = now - self._at, now
        if self.echoing:
            self._echoes.send()
        figures: dict[str, tuple[Measured, Measured]] = {}
        rows: list[Row] = []
        why: dict[str, str] = {}
        for number, (name, state) in enumerate(self._states.items()):
            if name in read:
                rows += self._rows(number, state, read[name], seconds, why, figures)
        found: Plain = {"columns": list(COLUMNS), "rows": rows, "why": why}
        if self._changed:
            found["asked"], self._changed = self._changed, {}
        return found, figures

    def _rows(
        self,
        number: int,
        state: LinkState,
        now: tuple[Flow, Flow],
        seconds: float,
        why: dict[str, str],
        figures: dict[str, tuple[Measured, Measured]],
    ) -> Iterator[Row]:
        history = self._history.setdefault(state.name, LinkHistory())
        if not history.flows:
            history.flows.append(now)
            seconds = max(seconds, 1.0)
        before, oldest = history.flows[-1], history.flows[0]
        history.flows.append(now)
        got = tuple(flows.measured(b, n, o, seconds) for b, n, o in zip(before, now, oldest, strict=True))
        figures[state.name] = (got[0], got[1])
        rtt = self._echoes.rtts.get(state.name)
        keeps, sentence = history.judge(state, got, rtt)
        changed = sentence != history.why
        for direction, one in enumerate(got):
            one = flows.with_lateness(one, history.told[direction])
            fresh = flows.row(number, direction, one, rtt, keeps)
            old = history.told[direction]
            if changed or old is None or old[_FIGURES] != fresh[_FIGURES]:
                history.told[direction] = fresh
                history.why = sentence
                if sentence:
                    why[str(number)] = sentence
                yield fresh

    def forget(self) -> None:
        """Tell of all links again at the next reading."""
        for history in self._history.values():
            history.told = [None, None]

    def close(self) -> None:
        """Let go of the lab's namespaces."""
        self._echoes.close()
        if self._gauge is not None:
            self._gauge.close()


def unread(error: ShaperError) -> str:
    """Return a sentence for links that cannot be read."""
    return f"links cannot be read: {error}"
