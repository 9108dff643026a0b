"""The lab in Python, as far as nothing is built."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.errors import LabError, UnknownName
from tests.paths import ROOT


def test_importing_the_package_costs_nothing_and_the_facade_is_there() -> None:
    code = "import sys, lab; print({'networkx', 'lab.api'} & set(sys.modules)); print(lab.Lab.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "Lab"]


def test_a_lab_that_is_not_up_says_so() -> None:
    from lab import Lab

    with pytest.raises(LabError, match="not up"):
        Lab("linear")["AMS"]


def test_an_experiment_of_a_lab_can_be_named_before_it_is_up() -> None:
    from lab import Lab

    experiment = Lab("linear").experiment("multihop", repetitions=3)
    with pytest.raises(LabError, match="not up"):
        experiment.run()
    with pytest.raises(UnknownName, match="did you mean 'multihop'"):
        Lab("linear").experiment("multihopp")


def test_a_clock_costs_and_links_that_cannot_be_are_refused_before_anything_is_begun() -> None:
    from lab import Lab

    with pytest.raises(UnknownName, match="did you mean 'virtual'"):
        Lab("linear", clock="virtuel")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="costs are for virtual time"):
        Lab("linear", costs={"weaver": 50})
    with pytest.raises(LabError, match="the highest price is"):
        Lab("linear", rate=10, clock="virtual", costs={"weaver": 2e6})
    with pytest.raises(LabError, match="link AMS-PRG has no rate, and in virtual time would carry any"):
        Lab("linear", clock="virtual")
