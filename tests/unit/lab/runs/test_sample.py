"""The schema of a sample."""

from __future__ import annotations

import json

import jsonschema
import pytest

from lab.runs.sample import Sample
from tests.paths import ROOT
from tests.unit.lab.runs.test_run_folder import sample


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        sample(values={"mean_ms": float("nan")})


def test_the_documented_schema_is_that_of_the_samples() -> None:
    documented = json.loads((ROOT / "docs" / "reference" / "sample.schema.json").read_text())
    assert documented == Sample.model_json_schema()
    jsonschema.validate(json.loads(sample().line()), documented)
