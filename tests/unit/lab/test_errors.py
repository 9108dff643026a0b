"""Errors by name, and the known name that somebody probably meant."""

from __future__ import annotations

import pytest

from lab.errors import CommandError, UnknownName, nearest


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [("weav", ["tinc", "weave"], "weave"), ("AMZ", ["PRG", "ams", "amq"], "ams"), ("x", ["weave"], None)],
)
def test_the_nearest_name_whatever_the_case(name: str, known: list[str], near: str | None) -> None:
    assert nearest(name, known) == near


def test_an_unknown_name_has_the_nearest_one_or_all() -> None:
    assert str(UnknownName("overlay", "weav", ["weave", "tinc"])) == (
        "unknown overlay 'weav'; did you mean 'weave'?"
    )
    assert str(UnknownName("overlay", "x", ["weave", "tinc"])) == "unknown overlay 'x'; known: tinc, weave"


def test_a_failed_command_tells_the_line_that_says_what_failed() -> None:
    error = CommandError(
        "AMS", ["docker", "run"], 125, "", "docker: no such image\n\nRun 'docker run --help'\n"
    )
    assert str(error) == "AMS: 'docker run' ended with status 125: docker: no such image"
