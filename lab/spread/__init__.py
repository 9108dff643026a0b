"""Runs spread over machines by Dask: every machine has a lab of its own, and measures whole blocks."""

from __future__ import annotations

from importlib.util import find_spec

from lab.errors import MachineError


def require() -> None:
    """Check that Dask is installed.

    Raises:
        MachineError: it is not.
    """
    if find_spec("distributed") is None:
        raise MachineError("runs over machines need Dask: pip install 'overlay-lab[spread]'")
