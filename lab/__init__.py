"""A network lab on one machine: ``from lab import Lab, results`` in Python, ``lab`` in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.api import Lab as Lab
    from lab.api import emulate as emulate
    from lab.api import results as results

__all__ = ["Lab", "emulate", "results"]


def __getattr__(name: str) -> Any:
    """Return one of these names when it is asked for: to import the package alone must cost nothing."""
    if name in __all__:
        from lab import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
