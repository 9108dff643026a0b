"""The starter of light hosts, as far as it can be tried without root."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.light import starter
from lab.emulation.light.hosts import STARTER
from lab.emulation.links.netns import OWN_MODULES


def test_every_capability_of_a_host_has_its_number() -> None:
    assert set(HOST_CAPABILITIES) <= set(starter.CAPABILITIES)
    # linux/capability.h
    numbers = {"CHOWN": 0, "NET_ADMIN": 12, "SYS_ADMIN": 21, "SETFCAP": 31, "CHECKPOINT_RESTORE": 40}
    assert {name: starter.CAPABILITIES.index(name) for name in numbers} == numbers


def test_a_path_with_overlayfs_own_signs_is_escaped() -> None:
    options = starter.overlay_options("/a:b,c\\d/host", Path("/run/x"))
    assert options == "lowerdir=/a\\:b\\,c\\\\d/host,upperdir=/run/x/upper,workdir=/run/x/work"


def test_a_call_that_fails_says_at_what() -> None:
    with pytest.raises(OSError, match="letting the old root go: Invalid argument"):
        starter.call("letting the old root go", "umount2", b"/", 1 << 30)


def test_it_needs_no_package_and_tells_each_host_that_it_cannot_make() -> None:
    """An order that cannot be carried out, with root or without: there are no files to start from."""
    hosts = [{"name": f"h{n}", "env": {}} for n in range(starter.AT_ONCE + 3)]
    order = {"folder": "/nowhere/at/all", "root": "/nowhere", "seeds": {}, "capabilities": [], "hosts": hosts}
    order["folder"] = "/proc/self/no-such-folder"  # where nobody can make one
    done = subprocess.run(
        STARTER, input=json.dumps(order), capture_output=True, text=True, check=True, env=OWN_MODULES
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(answer["name"] for answer in answers) == sorted(host["name"] for host in hosts)
    assert all(answer["error"] for answer in answers), done.stderr
