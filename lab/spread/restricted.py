"""Restricted unpickling: a worker loads only names that orders for blocks need, and runs no other code.

Dask sends tasks as pickles, and a pickle can name any function. A worker of the lab looks every name up in
`ALLOWED`, and refuses all others (Python's documentation of `pickle`, "Restricting Globals"). So a client can
ask a worker for the functions of `lab.spread.tasks`, with data, and for nothing else.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from typing import Any

#: Every name that a worker loads, by module.
ALLOWED = {
    "lab.spread.tasks": {"carry_out", "survey"},
    "dask._task_spec": {"Task"},
    "distributed.shuffle._worker_plugin": {"ShuffleWorkerPlugin"},  # Dask's own, which every worker has
    "builtins": {"bytes"},
}
#: What a worker of Dask does on request and one of the lab does not: it would be code of the one who asks.
REFUSED = (
    *("run", "run_coroutine", "upload_file", "plugin-add", "plugin-remove", "update_data"),
    *("actor_execute", "actor_attribute"),
)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(
                f"this worker runs only blocks of the lab, and refuses {module}.{name} of a client"
            )
        return super().find_class(module, name)


def loads(data: Any, *, buffers: Iterable[Any] = ()) -> Any:
    """Load a pickle that names nothing but `ALLOWED`.

    Raises:
        UnpicklingError: it names something else; nothing of it was run.
    """
    return _Unpickler(io.BytesIO(data), buffers=buffers or ()).load()


def restrict() -> None:
    """Let this process load no other pickles from the network, from now on."""
    from distributed.protocol import pickle as of_dask

    of_dask.loads = loads
