"""The JSON Schema of a topology file."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from lab.formats import models, yaml_loader
from tests.paths import ROOT
from tests.unit.lab.formats.graphs import YAML


def test_the_json_schema_in_the_documentation_is_that_of_the_models() -> None:
    kept = (ROOT / "docs" / "reference" / "topologies" / "topology.schema.json").read_text()

    assert kept == models.schema()
    schema = Draft202012Validator(json.loads(kept))
    schema.validate(yaml_loader.load(YAML, "x"))
    assert not schema.is_valid(yaml_loader.load(YAML.replace("cpus", "cpu"), "x"))
