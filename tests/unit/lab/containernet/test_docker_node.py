"""Containers as nodes, on a backend that makes nothing."""

from __future__ import annotations

from typing import Any


def test_another_containers_ipc_is_named_as_containernet_names_it(make: Any) -> None:
    made = make()
    made.addDocker("d1", dimage="x", ipc_mode="shareable")
    made.addDocker("d2", dimage="x", ipc_mode="container:mn.d1")
    assert made.backend.done[-1][3]["ipc_mode"] == "container:lab-abcd-d1"
