"""The GTS DSL: the language of the GÉANT Testbeds Service's documents, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lab.util.documents import gc_paused

if TYPE_CHECKING:
    from lab.dsl.document import Document
    from lab.topology import Topology

DIALECTS = ("v2", "typed")
Sites = Mapping[str, tuple[float, float]]


def read(text: str, *, source: str = "document", locations: Sites | None = None) -> Document:
    """Read a text in either dialect into a checked document.

    Args:
        text: the text.
        source: what messages call it, for example the file's name.
        locations: further known locations, as name to (latitude, longitude).

    Raises:
        DslError: with every fault, each with line and column.
    """
    from lab.dsl.checks import Checker
    from lab.dsl.diagnostics import Faults, TooManyFaults
    from lab.dsl.reader import TextReader
    from lab.topology.sites import SITES

    faults, document = Faults(text), None
    known = {*SITES, *(name.upper() for name in locations or ())}
    with suppress(TooManyFaults):
        reading = TextReader(text, faults)
        if raw := reading.document():
            document = Checker(faults, known).document(raw, reading.certain)
    faults.raise_if_any(source)
    assert document is not None, "a text without a document has a fault"
    return document


def parse(
    text: str,
    *,
    source: str = "document",
    sites: Sites | None = None,
    sidecar: Mapping[str, Any] | None = None,
) -> Topology:
    """Read a text in either dialect into a topology; `sidecar` is what a side file adds to it.

    Raises:
        DslError: with every fault, each with line and column.
    """
    from lab.dsl.diagnostics import Fault
    from lab.dsl.sidecar import refuse_unknown_ids
    from lab.dsl.to_topology import to_topology
    from lab.errors import DslError, TopologyError

    further = {**(sites or {}), **(sidecar or {}).get("sites", {})}
    try:
        with gc_paused():
            document = read(text, source=source, locations=further)
            refuse_unknown_ids(sidecar or {}, document, f"the side file of {source}")
            return to_topology(document, further, sidecar or {})
    except TopologyError as error:
        fault = Fault(1, 1, document.name, str(error))
        raise DslError(f"{source}:{fault}", [fault]) from error


def export(topology: Topology, dialect: str = "v2") -> str:
    """Return the text of a topology, in the dialect ``v2`` or ``typed``.

    Raises:
        TopologyError: the language cannot name its hosts or links apart.
    """
    from lab.dsl.from_topology import to_document
    from lab.dsl.write import write

    with gc_paused():
        return write(to_document(topology), dialect)
