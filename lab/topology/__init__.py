"""A network as a checked graph: `Topology`, and the specifications of its hosts and links.

The names below load their module when they are asked for: small programs that shape links import
`lab.topology.impairments` alone, without networkx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.topology.specs import HostSpec as HostSpec
    from lab.topology.specs import LinkSpec as LinkSpec
    from lab.topology.topology import Topology as Topology

__all__ = ["HostSpec", "LinkSpec", "Topology"]

if not TYPE_CHECKING:  # a type checker would take every other name for known

    def __getattr__(name: str) -> Any:
        """Return a public name, from the module that defines it."""
        if name in __all__:
            return getattr(import_module(f"{__name__}.{'topology' if name == 'Topology' else 'specs'}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
