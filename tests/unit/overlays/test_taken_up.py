"""An overlay that another process installed is taken up as it runs; with other options it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from lab import catalog
from lab.errors import OverlayError
from overlays import registry
from overlays.common import endpoints, install_record
from overlays.weave import router as weaver
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


def written(settings: dict[str, str], **told: Any) -> str:
    return json.dumps({"settings": settings, "told": told})


async def test_hosts_that_know_nothing_are_new() -> None:
    found = await install_record.read("tinc", {"mtu": "1376"}, [FakeHost("AMS"), FakeHost("PRG")])
    assert found.choices is None
    assert [host.name for host in found.new] == ["AMS", "PRG"]


async def test_what_was_settled_is_found_on_any_host_and_goes_to_the_new() -> None:
    ran = FakeHost("PRG", lambda argv: (0, written({"mtu": "1376"}, store="PRG") if argv[0] == "cat" else ""))
    overlay = registry.parse("tinc")
    overlay.settings = {"mtu": "1376"}
    new = FakeHost("AMS")

    settled = await overlay.claim([new, ran], await overlay.installed([new, ran]), store="AMS")

    assert settled == {"store": "PRG"}
    assert re.search(r'"told": \{"store": "PRG"\}', new.fed[-1])
    assert not ran.fed
    assert overlay.host_with("PRG", "its store") is ran


async def test_other_options_are_refused_with_both_named() -> None:
    host = FakeHost("AMS", lambda argv: (0, written({"mtu": "1376", "encryption": "on"})))
    with pytest.raises(OverlayError) as caught:
        await install_record.read("tinc", {"mtu": "1376", "encryption": "off"}, [host])
    assert "tinc runs on AMS with encryption=on, and encryption=off was asked for" in str(caught.value)


async def test_a_host_that_the_others_need_and_that_is_not_given_is_named() -> None:
    overlay = registry.parse("flannel")
    await overlay.claim([FakeHost("PRG")], install_record.Installed({"store": "AMS"}, ()))
    with pytest.raises(OverlayError, match="flannel has its store on AMS, which is not among the hosts"):
        overlay.host_with("AMS", "its store")


def router(password: str) -> FakeHost:
    """A host where a router runs with a password."""

    def said(argv: Sequence[str]) -> tuple[int, str]:
        return 0, f"{password}\n" if argv[-1] == "sh" else ""

    return FakeHost("AMS", said, silent=True)


async def test_the_password_is_the_one_that_routers_run_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_WEAVE_PASSWORD", raising=False)
    overlay: Any = registry.parse("weave:encryption=on")
    host = router("theirs")

    await overlay._adopt_password([host])

    assert overlay._password == "theirs"
    assert host.fed == [weaver.ASK_PASSWORD.decode()]


async def test_another_password_than_the_one_in_use_is_refused_and_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_WEAVE_PASSWORD", "mine")
    overlay: Any = registry.parse("weave:encryption=on")
    with pytest.raises(OverlayError, match="runs with another password") as caught:
        await overlay._adopt_password([router("theirs")])
    assert "theirs" not in str(caught.value)
    assert "mine" not in str(caught.value)


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
