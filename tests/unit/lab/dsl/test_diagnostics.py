"""Faults of a document: all at once, each with its place, and no more than are told."""

from __future__ import annotations

import pytest

from lab import dsl
from lab.errors import DslError
from tests.unit.lab.dsl.documents import FIXTURES, faults


def test_all_faults_of_a_document_are_told_at_once() -> None:
    text = (FIXTURES / "full_of_faults.dsl").read_text()

    assert faults(text) == (FIXTURES / "full_of_faults.txt").read_text().splitlines()


def test_the_error_names_file_line_column_text_and_what_was_expected() -> None:
    with pytest.raises(DslError) as caught:
        dsl.parse('N { host { id="a" location="AMZ" } }', source="net.dsl")

    fault = caught.value.faults[0]
    assert (fault.line, fault.column, fault.text) == (1, 29, "AMZ")
    assert str(caught.value) == f"net.dsl:1:29: 'AMZ': {fault.what}"
    assert fault.what == "unknown location; expected 'AMS'? (--site AMZ=LAT,LON adds it)"


def test_many_faults_are_cut_short() -> None:
    found = faults("Net { " + 'host { location="AMZ" } ' * 5000 + "}")

    assert len(found) == 200
