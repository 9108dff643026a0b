"""Topologies, overlays and experiments by name: the lab's own, and those of other distributions.

The lab's own are modules of the packages `topologies`, `overlays` and `experiments`. A plug-in of several
files is a package, and its module ``overlay`` or ``experiment`` has the class. Another distribution registers
its own under the entry point groups ``lab.topologies`` (a function that returns a `Topology`),
``lab.overlays`` (a subclass of `Overlay`) and ``lab.experiments`` (a subclass of `PresentedExperiment`).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lab.errors import PluginError, UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True)
class Kind:
    """A kind of plug-in: the word for one, and its base class; "" if a plug-in is a function.

    The class is named, not imported: it belongs to a higher floor than this file.
    """

    word: str
    base: str = ""


KINDS = {
    "topologies": Kind("topology"),
    "overlays": Kind("overlay", "overlays.base.Overlay"),
    "experiments": Kind("experiment", "lab.report.presentation.PresentedExperiment"),
}
#: Modules and folders of these packages that plug-ins share.
SHARED = {"base", "claims", "common", "registry"}


def names(kind: str) -> tuple[str, ...]:
    """Return the names of all plug-ins of a kind (``topologies``, ``overlays``, ``experiments``)."""
    return tuple(sorted({*own_names(kind), *(point.name for point in _registered(kind))}))


def own_names(kind: str) -> tuple[str, ...]:
    """Return the names of the lab's own plug-ins of a kind."""
    path = importlib.import_module(kind).__path__
    modules = {module.name for module in pkgutil.iter_modules(path)} - SHARED
    return tuple(sorted(name for name in modules if not name.startswith("_")))


def load(kind: str, name: str) -> Any:
    """Return the function or class of this name; another distribution cannot replace the lab's own.

    Raises:
        UnknownName: no plug-in has this name; the error has the nearest name.
        PluginError: it cannot be loaded, or is no plug-in of this kind; the error says where it is from.
    """
    if name in own_names(kind):
        module, word = f"{kind}.{name}", KINDS[kind].word
        spec = find_spec(module)
        is_package = spec is not None and spec.submodule_search_locations is not None
        return _defined_in(importlib.import_module(f"{module}.{word}" if is_package else module), word, name)
    for point in _registered(kind):
        if point.name == name:
            return _loaded(point, KINDS[kind])
    raise UnknownName(KINDS[kind].word, name, names(kind))


def summary(plugin: Any) -> str:
    """Return the first line of the docstring of the module that defines a plug-in."""
    words = inspect.getdoc(sys.modules[plugin.__module__]) or inspect.getdoc(plugin) or ""
    return words.split("\n", 1)[0]


def _registered(kind: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # a quarter of the time of a short command

    return entry_points(group=f"lab.{kind}")


def _loaded(point: EntryPoint, kind: Kind) -> Any:
    """Return the plug-in that an entry point names, after a check that the engine can use it."""
    what = f"{kind.word} {point.name!r} of {f'distribution {point.dist.name}' if point.dist else point.value}"
    try:
        plugin = point.load()
    except Exception as error:  # whatever the code of others raises while it is imported
        raise PluginError(
            f"{what} cannot be loaded: {type(error).__name__}: {error}; correct it or remove it"
        ) from error
    if not kind.base:
        if callable(plugin) and not isinstance(plugin, type):
            return plugin
        raise PluginError(f"{what} is no function: {plugin!r}; see docs/reference/topologies")
    bases = plugin.__mro__ if isinstance(plugin, type) else ()
    if kind.base not in (f"{base.__module__}.{base.__qualname__}" for base in bases):
        raise PluginError(
            f"{what} is no subclass of {kind.base}: {plugin!r}; see docs/reference/{kind.word}s"
        )
    return plugin


def _defined_in(module: Any, word: str, name: str) -> Any:
    """Return the module's function named `word`, or its class whose attribute `name` is this name."""
    if word in vars(module):
        return vars(module)[word]
    own = (k for k in vars(module).values() if isinstance(k, type) and k.__module__ == module.__name__)
    for plugin in own:
        if getattr(plugin, "name", "") == name:
            return plugin
    raise PluginError(f"module {module.__name__} has no {word} that calls itself {name!r}; name one so")
