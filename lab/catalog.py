"""Things found by name: one module each, in a package of their own."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.errors import UnknownName
from lab.topology import Topology

KINDS = {"topologies": "topology", "overlays": "overlay", "experiments": "experiment"}
NOT_NAMES = {"base", "options", "support"}


def names(package: str) -> tuple[str, ...]:
    """The names of all modules of a package (``topologies``, ``overlays``, ``experiments``)."""
    path = importlib.import_module(package).__path__
    found = (module.name for module in pkgutil.iter_modules(path))
    return tuple(sorted(name for name in found if name not in NOT_NAMES and not name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """The module of this name in a package.

    Raises:
        UnknownName: there is none; the error has the nearest name.
    """
    known = names(package)
    if name not in known:
        raise UnknownName(KINDS.get(package, package), name, known)
    return importlib.import_module(f"{package}.{name}")


def topology(name_or_file: str | Path, **params: Any) -> Topology:
    """The topology of this name, with these parameters.

    Raises:
        UnknownName: there is none.
        TopologyError: the parameters do not make a topology.
    """
    made: Topology = load("topologies", str(name_or_file)).topology(**params)
    return made
