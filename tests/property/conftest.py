"""Profiles for hypothesis, and a count of what was tried.

`ci` (the default) takes seconds, with the same examples each time; `HYPOTHESIS_PROFILE=fresh` draws new ones
(`make fuzz`), and `thorough` takes many minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from lab.dsl.reader import TextReader

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("fresh", max_examples=60, deadline=None, suppress_health_check=SLOW)
settings.register_profile("thorough", max_examples=1000, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TRIED = {"documents": 0}


@pytest.fixture(autouse=True, scope="session")
def _count_documents() -> Iterator[None]:
    """Count the documents that are read while the properties are tried."""
    read = TextReader.document

    def counted(self: TextReader) -> object:
        TRIED["documents"] += 1
        return read(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TextReader, "document", counted)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"random documents read: {TRIED['documents']}")
    for report in terminalreporter.getreports("passed"):
        for name, words in getattr(report, "user_properties", ()):
            if name == "fuzzing":
                terminalreporter.write_line(f"fuzzing: {words}")
