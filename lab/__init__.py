"""A network lab on one machine: ``from lab import Lab`` in Python, ``python -m lab`` in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.api import Lab as Lab

__all__ = ["Lab"]


def __getattr__(name: str) -> Any:
    """Return `Lab` when it is asked for, and not before: to import the package alone must cost nothing."""
    if name == "Lab":
        from lab.api import Lab

        return Lab
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
