"""The way into hosts and endpoints, from a record alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.emulation.ownership import Process
from lab.errors import HostError, UnknownName
from lab.live.enter import entry
from tests.unit.fakes import ME, lab_record


def test_a_command_enters_the_host_or_goes_on_into_the_endpoint() -> None:
    lab = lab_record(AMS=ME, PRG=ME)
    host, endpoint = (
        entry(lab, "AMS").command(["ip", "addr"]),
        entry(lab, "AMS/flannel").command(["ip", "addr"]),
    )
    assert host[1:3] == [str(ME.pid), str(ME.started)]
    assert host[-2:] == ["ip", "addr"]
    assert endpoint[-6:] == ["docker", "exec", "-i", "flannel-endpoint-AMS", "ip", "addr"]
    assert entry(lab, "AMS/flannel-endpoint-AMS") == entry(lab, "AMS/endpoint") == entry(lab, "AMS/flannel")


@pytest.mark.parametrize(
    ("place", "said"), [("AMX", "did you mean 'AMS'"), ("AMS/flanel", "did you mean 'flannel'")]
)
def test_a_place_that_is_not_there_is_told_with_the_nearest(place: str, said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        entry(lab_record(AMS=ME, PRG=ME), place)


def test_a_host_that_died_cannot_be_entered() -> None:
    lab = lab_record(AMS=Process(ME.pid, ME.started - 1), PRG=ME)
    with pytest.raises(HostError, match="AMS of lab class has died"):
        entry(lab, "AMS")


def test_an_endpoint_without_docker_is_entered_by_its_script() -> None:
    lab = lab_record(AMS=ME, PRG=ME)
    script = "/run/lab/endpoints/flannel-endpoint-AMS/endpoint"
    lab.overlays[0].endpoints[0]["script"] = script
    assert entry(lab, "AMS/flannel").command(["ip", "addr"])[-4:] == [script, "run", "ip", "addr"]
    assert script not in entry(lab, "PRG/flannel").command(["ip", "addr"])


def test_a_shell_in_a_light_host_needs_no_docker() -> None:
    lab = lab_record(AMS=ME, PRG=ME)
    container = entry(lab, "AMS")
    assert container.shell(terminal=True)[:3] == ["docker", "exec", "-it"]
    assert container.shell_environment({"DOCKER_HOST": "x"}) == {"DOCKER_HOST": "x"}
    light = replace(container, host=replace(container.host, container=""))
    assert light.shell(terminal=True)[:3] == light.command(["true"])[:3]
    assert "docker" not in light.shell(terminal=True)
    assert light.shell_environment({"TERM": "xterm", "SECRET": "x"}).keys() == {"TERM", "PATH", "HOME"}
