"""Topologies by name or by file.

A topology is asked for as ``NAME``, as ``NAME:key=value,key=value`` with the parameters of
its function (a list is written ``AMS+PRG+BRA``), or as the name of a file.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from lab import plugins
from lab.errors import TopologyError, UnknownName
from lab.events import Emit, silent
from lab.topology import Topology

SWITCHES = ("ofx", "vsi")


def topology(
    name_or_file: str | Path,
    *,
    places: Mapping[str, tuple[float, float]] | None = None,
    largest_component: bool = False,
    switches: bool = False,
    emit: Emit = silent,
    **params: Any,
) -> Topology:
    """Return the topology of this name, with these parameters, or in this file.

    Args:
        name_or_file: see the top of this module.
        places: for files: sites beyond the known ones, as name to (latitude, longitude).
        largest_component: for files: reduce a graph to what a topology can hold, and say so.
        switches: let the switches of a testbed document pass, which no emulation can build.
        emit: is told what was left out of a file.
        params: for names: what the topology's function takes.

    Raises:
        UnknownName: there is none.
        TopologyError: the parameters or the file do not make a topology.
        DslError: the document has faults.
    """
    from lab.formats import files

    if files.is_file(str(name_or_file)):
        found = files.read(Path(name_or_file), sites=places, largest_component=largest_component, emit=emit)
    else:
        name, _, words = str(name_or_file).partition(":")
        if places or largest_component:
            raise TopologyError(
                f"topology {name} comes by name, with the known sites and in one piece; "
                "--site and --largest-component are for files"
            )
        function = plugins.load("topologies", name)
        found = function(**{**_params(function, words, name), **params})
    refused = () if switches else [host.name for host in found.hosts if host.kind in SWITCHES]
    if refused:
        raise TopologyError(
            f"topology {found.name!r} has OpenFlow switches ({', '.join(refused[:10])}), "
            "which the lab does not emulate; use a host or a link instead"
        )
    return found


def _params(function: Any, words: str, name: str) -> dict[str, Any]:
    """Return the parameters in ``key=value,key=value``, each as the type that the function declares."""
    known = inspect.signature(function).parameters
    hints = get_type_hints(function)
    found = {}
    for word in filter(None, words.split(",")):
        key, _, value = word.partition("=")
        if key not in known:
            raise UnknownName(f"parameter of topology {name}", key, known)
        found[key] = _typed(value, str(hints[key]), f"{key} of topology {name}")
    return found


def _typed(value: str, hint: str, what: str) -> Any:
    if "Sequence" in hint:
        return value.split("+")
    wanted = next((kind for kind in (int, float) if kind.__name__ in hint), str)
    try:
        return None if value == "" and "None" in hint else wanted(value)
    except ValueError:
        raise TopologyError(
            f"{what} must be {'a whole number' if wanted is int else 'a number'}, not {value!r}"
        ) from None
