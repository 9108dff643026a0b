"""Settings of a host's Docker: given, and taken back."""

from __future__ import annotations

import json

from overlays.common import docker_config


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
