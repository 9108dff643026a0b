"""The schema of the feed."""

from __future__ import annotations

import json

import jsonschema
import pytest
from pydantic import ValidationError

from lab.feed import objects
from tests.paths import ROOT

PING = {"v": 1, "t": 1.0, "kind": "ping", "lab": "class", "from": "AMS", "to": "PRG", "rtt_ms": None}


def test_the_documented_schema_is_that_of_the_code() -> None:
    assert (ROOT / "docs" / "reference" / "events.schema.json").read_text() == objects.schema()


def test_an_object_fits_the_schema() -> None:
    jsonschema.validate(PING, json.loads(objects.schema()))


@pytest.mark.parametrize("fault", [{"more": 1}, {"v": 2}, {"kind": "pong"}, {"to": 5}])
def test_an_object_with_a_fault_does_not_fit(fault: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**PING, **fault}, json.loads(objects.schema()))
    with pytest.raises(ValidationError):
        objects.adapter().validate_python({**PING, **fault})
