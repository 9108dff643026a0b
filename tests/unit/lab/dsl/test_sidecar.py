"""Side files: what the language cannot hold of a topology."""

from __future__ import annotations

import pytest

from lab import catalog, dsl
from lab.dsl import sidecar
from lab.errors import DslError
from tests.unit.lab.dsl.documents import FIXTURES, two_hosts


@pytest.mark.parametrize(("name", "listing"), [("linear", "chain"), ("four_pairs", "four_pairs")])
def test_the_appendix_read_with_its_side_file_is_the_topology(name: str, listing: str) -> None:
    topology = catalog.topology(name)

    assert (
        dsl.parse((FIXTURES / f"appendix_a_{listing}.dsl").read_text(), sidecar=sidecar.extract(topology))
        == topology
    )


def test_side_file_holds_what_the_language_cannot() -> None:
    found = sidecar.extract(two_hosts(rtt=10.0, jitter=1.0, loss=0.5, mtu=1400, name="first"))

    assert found == {
        "lab": 1,
        "links": {"l1": {"rtt": 10.0, "name": "first", "jitter": 1.0, "loss": 0.5, "mtu": 1400}},
    }
    assert sidecar.summary(found) == [
        f"{what} of 1 link" for what in ("rtt", "name", "jitter", "loss", "mtu")
    ]


def test_side_file_that_speaks_of_something_else_is_refused() -> None:
    with pytest.raises(DslError, match="names l9, which its document does not have"):
        dsl.parse(dsl.export(two_hosts()), sidecar={"links": {"l9": {"rtt": 3.0}}})
