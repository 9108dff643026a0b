"""A worker loads what a client of the lab sends, and nothing that names another function."""

from __future__ import annotations

import os
import pickle
import subprocess
from typing import Any

import cloudpickle
import pytest
from dask._task_spec import Task

from lab.spread import tasks
from lab.spread.restricted import loads


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def test_the_lab_s_own_tasks_are_loaded() -> None:
    task = loads(pickle.dumps(Task("key", tasks.carry_out, "{}")))
    assert task.func is tasks.carry_out


@pytest.mark.parametrize(
    "thing",
    [
        Evil(),
        Task("key", subprocess.run, ["true"]),
        Task("key", eval, "1"),
        Task("key", tasks.survey, Evil()),
        os.path.join,
        getattr,
    ],
)
def test_another_function_is_refused_before_it_runs(thing: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="refuses"):
        loads(pickle.dumps(thing))


def test_a_function_that_travels_as_code_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="refuses cloudpickle"):
        loads(cloudpickle.dumps(lambda: None))
