"""Endpoints that are there already."""

from __future__ import annotations

import json

import pytest

from lab.errors import OverlayError
from lab.hosts.host import Endpoint
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


def docker(*answers: str) -> FakeHost:
    """A host whose Docker answers so, one request after the other."""
    says = list(answers)
    return FakeHost("AMS", lambda argv: (0, says.pop(0)), silent=True)


@pytest.mark.parametrize(
    ("shown", "said"), [({"Networks": {}}, "'lab'"), ({"Networks": {"lab": {}}}, "'lab'")]
)
async def test_an_endpoint_without_an_address_is_told(shown: object, said: str) -> None:
    host = docker(f"\n201\n\n204\n{json.dumps({'NetworkSettings': shown})}\n200")
    with pytest.raises(OverlayError, match=f"x: endpoint 'x-e-AMS' on AMS got no address on network {said}"):
        await endpoints.attach("x", host, "image", "e", "lab")


async def test_an_address_that_docker_does_not_know_is_given() -> None:
    host = docker("\n201\n\n204\n{}\n200")
    made = await endpoints.attach("x", host, "image", "e", "host", interface="eth1", address="192.0.2.7")
    assert (made.address, made.interface, made.overlay, made.name) == (
        "192.0.2.7",
        "eth1",
        "x",
        "AMS/x-e-AMS",
    )


@pytest.mark.parametrize(
    "answers", [["no room\n500"], ['{"message": "taken"}\n409', '{"message": "dead"}\n500']]
)
async def test_an_endpoint_that_does_not_start_is_told_in_dockers_words(answers: list[str]) -> None:
    with pytest.raises(OverlayError, match=r"endpoint 'x-e-AMS' did not start on AMS: (no room|dead)"):
        await endpoints.attach("x", docker(*answers), "image", "e", "lab")


def test_what_docker_is_asked_for() -> None:
    assert endpoints.container("x", "AMS", "image", "lab") == {
        "Image": "image",
        "Hostname": "AMS",
        "Labels": {"lab.overlay": "x"},
        "HostConfig": {"NetworkMode": "lab", "CapAdd": ["NET_ADMIN", "NET_RAW"]},
    }
    assert "Hostname" not in endpoints.container("x", "AMS", "image", "host")


@pytest.mark.parametrize("field", ["Image", "NetworkMode"])
def test_an_endpoint_of_another_image_or_network_is_refused(field: str) -> None:
    asked = endpoints.container("x", "AMS", "image", "lab")
    there = {"Config": {"Image": "image"}, "HostConfig": {"NetworkMode": "lab"}}
    endpoints.refuse_other(FakeHost("AMS"), "e", there, asked)
    there["Config" if field == "Image" else "HostConfig"][field] = "other"
    with pytest.raises(OverlayError, match="endpoint 'e' on AMS is of image"):
        endpoints.refuse_other(FakeHost("AMS"), "e", there, asked)


@pytest.mark.parametrize(
    ("listed", "removed"), [("1 2\n3\n", [("docker", "rm", "-f", "-v", "1", "2", "3")]), ("\n", [])]
)
async def test_all_endpoints_of_an_overlay_go(listed: str, removed: list[tuple[str, ...]]) -> None:
    host = docker(listed, "")
    await endpoints.remove_all("x", host)
    assert host.ran == [("docker", "ps", "-aq", "--filter", "label=lab.overlay=x"), *removed]


async def test_an_endpoint_goes_by_docker_or_by_its_script() -> None:
    host = docker("", "")
    for script in ("", "/run/e"):
        await endpoints.detach(Endpoint(host, "c", "", script=script))
    assert host.ran == [("docker", "rm", "-f", "-v", "c"), ("/run/e", "remove")]


@pytest.mark.parametrize(("listed", "others"), [("mine x\n", ""), ("", ""), ("mine x\na y\nb z\n", "a, b")])
async def test_endpoints_of_other_overlays_are_not_ended(listed: str, others: str) -> None:
    host = docker(listed)
    if not others:
        await endpoints.refuse_beside_others("x", host, "setting a bridge")
    else:
        with pytest.raises(OverlayError, match=rf"x: setting a bridge on AMS would end .* \({others}\)"):
            await endpoints.refuse_beside_others("x", host, "setting a bridge")
    form = '{{.Names}} {{.Label "lab.overlay"}}'
    assert host.ran == [("docker", "ps", "--filter", "label=lab.overlay", "--format", form)]
    await endpoints.refuse_beside_others("x", FakeHost("AMS", docker=()), "setting a bridge")
