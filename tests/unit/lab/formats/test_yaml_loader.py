"""YAML that grows beyond its text, and YAML without aliases."""

from __future__ import annotations

import pytest

from lab.errors import TopologyError
from lab.formats import lab_yaml, yaml_loader


def test_yaml_that_grows_beyond_its_text_is_refused() -> None:
    """A C loader that met deep nesting ended the process; nested aliases took for ever."""
    with pytest.raises(TopologyError, match=r"^net.yaml:1:26: it is nested too deeply$"):
        lab_yaml.read("name: " + "[" * 100_000, "net.yaml")
    with pytest.raises(TopologyError, match=r"^net.yaml:2:8: an alias, \*a; write the value itself$"):
        lab_yaml.read("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "net.yaml")


def test_yaml_that_is_written_has_no_aliases() -> None:
    place = [1.0, 2.0]

    assert yaml_loader.load(yaml_loader.dump({"a": place, "b": place}), "x") == {"a": place, "b": place}
