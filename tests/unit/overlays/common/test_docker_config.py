"""Settings of a host's Docker: given, and taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.errors import CommandError, OverlayError
from lab.hosts.daemons import signal_argv
from overlays.common import docker_config
from overlays.common.batch import Batch
from tests.unit.fakes import FakeHost


class TestDockerSettings:
    def test_a_change_and_its_restoration_leave_what_was_there(self) -> None:
        before = json.dumps({"debug": True, "mtu": 1400})
        text, backup = docker_config.changed(before, {"mtu": 1450, "bip": "10.1.1.1/24"})
        assert json.loads(text) == {"debug": True, "mtu": 1450, "bip": "10.1.1.1/24"}
        _, stays = docker_config.restored(text, backup)
        assert json.loads(stays) == json.loads(before)

    def test_where_there_was_no_file_there_is_none_again(self) -> None:
        text, backup = docker_config.changed("", {"mtu": 1450}, {"bip": "172.17.0.1/16"})
        restarting, stays = docker_config.restored(text, backup)
        assert json.loads(restarting) == {"bip": "172.17.0.1/16"}
        assert stays == ""

    def test_what_another_overlay_set_in_between_stays(self) -> None:
        first, backup = docker_config.changed("", {"a": 1})
        both, _ = docker_config.changed(first, {"b": 2})
        assert json.loads(docker_config.restored(both, backup)[1]) == {"b": 2}

    def test_files_are_told_apart_in_one_listing(self) -> None:
        listing = f'{docker_config.SETTINGS}:{{\n{docker_config.SETTINGS}: "a": 1}}\n'
        current, before = docker_config.parse_read(listing, "x")
        assert json.loads(current) == {"a": 1}
        assert before == ""


def listing(settings: str = "", before: str = "") -> Any:
    """A host that has these settings, and this backup of overlay `x`."""
    lines = [f"{docker_config.SETTINGS}:{line}" for line in settings.splitlines()]
    lines += [f"{docker_config.backup('x')}:{line}" for line in before.splitlines()]
    return FakeHost("AMS", lambda argv: (0, "\n".join(lines)))


async def test_settings_that_are_there_already_are_not_written() -> None:
    host = listing('{"mtu": 1450, "debug": true}')
    assert await docker_config.change(host, "x", {"mtu": 1450}) is False
    assert host.ran == [
        ("grep", "-H", "-s", "", docker_config.SETTINGS, "/etc/docker/.before-x.json"),
    ]


@pytest.mark.parametrize("before", ["", "{}"])
async def test_a_change_keeps_what_was_before_the_first_one(before: str) -> None:
    host = listing('{"mtu": 1400}', before)
    assert await docker_config.change(host, "x", {"mtu": 1450}, {"bip": "10.0.0.1/8"}) is True
    text, undo = docker_config.changed('{"mtu": 1400}', {"mtu": 1450}, {"bip": "10.0.0.1/8"})
    wanted = Batch().write(docker_config.SETTINGS, text)
    assert host.fed == [(wanted if before else wanted.write(docker_config.backup("x"), undo)).script]


async def test_settings_without_a_backup_are_nobodys_to_restore() -> None:
    host = listing('{"mtu": 1450}')
    assert await docker_config.restore(host, "x") is False
    assert host.fed == []


@pytest.mark.parametrize("was", ["", '{"debug": true}'])
@pytest.mark.parametrize("told", [None, Batch().run(["tell"])])
async def test_docker_is_told_of_restored_settings_before_they_get_their_last_form(
    was: str, told: Batch | None
) -> None:
    text, undo = docker_config.changed(was, {"mtu": 1450}, {"bip": "10.0.0.1/8"})
    host = listing(text, undo)
    assert await docker_config.restore(host, "x", told) is True
    restarting, stays = docker_config.restored(text, undo)
    wanted = Batch().write(docker_config.SETTINGS, restarting)
    wanted.run(["tell"] if told else ["/usr/local/lib/lab/docker-daemon", "restart"])
    wanted = (
        wanted.write(docker_config.SETTINGS, stays)
        if was
        else wanted.run(["rm", "-f", docker_config.SETTINGS])
    )
    assert host.fed == [wanted.run(["rm", "-f", docker_config.backup("x")]).script]


@pytest.mark.parametrize(("out", "err", "words"), [("out\n", "err\n", "err"), ("out\n", " \n", "out")])
def test_a_restart_that_fails_is_named_with_host_and_reason(out: str, err: str, words: str) -> None:
    with (
        pytest.raises(OverlayError, match=f"x: Docker on AMS did not restart: {words}$"),
        docker_config.restarting(listing(), "x"),
    ):
        raise CommandError("AMS", ["sh"], 1, out, err)


def test_docker_is_told_by_its_control_and_by_a_signal() -> None:
    assert docker_config.start().script == "/usr/local/lib/lab/docker-daemon start\n"
    assert docker_config.restart().script == "/usr/local/lib/lab/docker-daemon restart\n"
    assert (
        docker_config.reload().script
        == Batch().run(signal_argv("HUP", "/var/run/docker.pid", "dockerd")).script
    )


def test_an_empty_file_that_was_there_is_there_again() -> None:
    text, backup = docker_config.changed("{}", {"mtu": 1450})
    assert json.loads(docker_config.restored(text, backup)[1]) == {}
    assert docker_config.changed(" \n", {"mtu": 1450})[1] == docker_config.changed("", {"mtu": 1450})[1]
