"""Endpoints that are there already."""

from __future__ import annotations

import json

import pytest

from lab.errors import OverlayError
from overlays.common import endpoints
from tests.unit.fakes import FakeHost


def test_an_endpoint_that_is_another_thing_is_not_taken() -> None:
    there = {"Config": {"Image": "lab/gtsperf"}, "HostConfig": {"NetworkMode": "lab"}}
    asked = endpoints.container("libnetwork", "AMS", "lab/gtsperf", "second")
    with pytest.raises(OverlayError, match="on network 'lab', and lab/gtsperf on 'second' was asked for"):
        endpoints.refuse_other(FakeHost("AMS"), "libnetwork-endpoint-AMS", there, asked)


async def test_an_endpoint_that_is_there_is_started_if_need_be_and_taken() -> None:
    # given a Docker whose name for the endpoint is taken
    there = endpoints.container("libnetwork", "AMS", "lab/gtsperf", "lab")
    shown = {**there, "Config": there, "NetworkSettings": {"Networks": {"lab": {"IPAddress": "10.50.0.2"}}}}
    says = [
        '{"message": "Conflict. The container name is already in use"}\n409',
        f"\n304\n{json.dumps(shown)}\n200",
    ]
    host = FakeHost("AMS", lambda argv: (0, says.pop(0)), silent=True)

    endpoint = await endpoints.attach("libnetwork", host, "lab/gtsperf", "endpoint", "lab")

    assert (endpoint.container, endpoint.address) == ("libnetwork-endpoint-AMS", "10.50.0.2")
    assert "containers/create" in host.fed[0]
    assert "containers/create" not in host.fed[1]
