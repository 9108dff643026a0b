"""Topologies, overlays and experiments by name: the lab's own, and those of other distributions.

The lab's own are modules of the packages `topologies`, `overlays` and `experiments`. One of more than one
file is a package, whose module ``overlay`` or ``experiment`` has the class. Another distribution registers
its own under the entry point groups ``lab.topologies`` (a function that returns a `Topology`),
``lab.overlays`` (a subclass of `Overlay`) and ``lab.experiments`` (a subclass of `Experiment`).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lab.errors import UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: Packages of plug-ins, and the word for one of them.
KINDS = {"topologies": "topology", "overlays": "overlay", "experiments": "experiment"}
#: Modules of these packages that plug-ins share.
SHARED = {"base", "common", "registry"}


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all plug-ins of a kind (``topologies``, ``overlays``, ``experiments``)."""
    return tuple(sorted({*_own(kind), *(point.name for point in _registered(kind))}))


def load(kind: str, name: str) -> Any:
    """Return the function or class of this name; the lab's own cannot be replaced.

    Raises:
        UnknownName: there is none; the error has the nearest name.
    """
    if name in _own(kind):
        return _defined_in(_module(kind, name), KINDS[kind], name)
    for point in _registered(kind):
        if point.name == name:
            return point.load()
    raise UnknownName(KINDS[kind], name, names(kind))


def summary(plugin: Any) -> str:
    """Return the first line of the docstring of the module that defines a plug-in."""
    words = inspect.getdoc(sys.modules[plugin.__module__]) or inspect.getdoc(plugin) or ""
    return words.split("\n", 1)[0]


def _own(kind: str) -> set[str]:
    path = importlib.import_module(kind).__path__
    found = {module.name for module in pkgutil.iter_modules(path)} - SHARED
    return {name for name in found if not name.startswith("_")}


def _registered(kind: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # a quarter of the time of a short command

    return entry_points(group=f"lab.{kind}")


def _module(kind: str, name: str) -> Any:
    whole = f"{kind}.{name}"
    inner = f"{whole}.{KINDS[kind]}"
    return importlib.import_module(inner if _is_package(whole) else whole)


def _is_package(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


def _defined_in(module: Any, word: str, name: str) -> Any:
    """Return the function named by the word, or the class that calls itself `name`."""
    if word in vars(module):
        return vars(module)[word]
    own = (k for k in vars(module).values() if isinstance(k, type) and k.__module__ == module.__name__)
    return next(kind for kind in own if getattr(kind, "name", None) == name)
