"""Handles on hosts and endpoints: calls that return when the thing is done."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lab.app.handles import LabHost, lab_endpoints
from lab.errors import UnknownName
from lab.hosts.host import Endpoint
from tests.unit.fakes import FakeHost


def session(*specs: str) -> Any:
    """A lab whose overlays have an endpoint on AMS alone."""

    def endpoints(word: str) -> dict[str, Endpoint]:
        if word not in specs:
            raise UnknownName("overlay of lab x", word, specs)
        host: Any = FakeHost("AMS")
        return {"AMS": Endpoint(host, f"{word}-endpoint-AMS", "10.0.0.2", overlay=word)}

    return SimpleNamespace(specs=specs, endpoints=endpoints)


def test_an_overlay_needs_no_name_where_there_is_one() -> None:
    assert lab_endpoints(session("flannel"), "", asyncio.run)["AMS"].overlay == "flannel"
    assert lab_endpoints(session("flannel", "weave"), "weave", asyncio.run)["AMS"].overlay == "weave"
    with pytest.raises(UnknownName, match="overlay"):
        lab_endpoints(session("flannel", "weave"), "", asyncio.run)


def test_a_host_without_an_endpoint_says_who_has_one() -> None:
    ams: Any = FakeHost("AMS")
    prg: Any = FakeHost("PRG")
    endpoint = LabHost(ams, session("flannel"), asyncio.run).endpoint()
    assert (endpoint.name, endpoint.address) == ("AMS/flannel-endpoint-AMS", "10.0.0.2")
    with pytest.raises(UnknownName, match="endpoint on host 'PRG'"):
        LabHost(prg, session("flannel"), asyncio.run).endpoint()
