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
