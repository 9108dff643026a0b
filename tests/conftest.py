"""For all tests: what was skipped and why, one line per reason; failures stay the last lines."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Group the skipped tests by what this machine lacks for them."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if not reasons:
        return
    terminalreporter.section("skipped, and why")
    for reason, number in reasons.most_common():
        terminalreporter.line(f"{number:4} {reason}")
