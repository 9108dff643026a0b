"""Host containers are planned without root: the command, and what it must not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.emulation.docker import host_spec
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.docker.containers import run_argv, run_env
from lab.errors import TopologyError
from lab.topology import HostSpec
from topologies import linear


@pytest.fixture
def a_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ownership.LabState:
    monkeypatch.setattr(ownership, "RUN", tmp_path)
    return ownership.LabState.create()


def test_every_host_of_a_topology_is_planned(a_state: ownership.LabState) -> None:
    plans = host_spec.plans(a_state, linear.topology(), Path("/seed"))
    assert [p.name for p in plans] == ["AMS", "PRG", "BRA", "LJU", "MIL", "AMS2"]
    assert [p.site for p in plans][-1] == "AMS"
    assert plans[1].addresses == ("192.168.1.2", "192.168.2.2")


def test_a_host_has_no_network_of_dockers_and_no_privilege(a_state: ownership.LabState) -> None:
    argv = run_argv(host_spec.plans(a_state, linear.topology(), Path("/seed"))[0].container)
    assert "--network=none" in argv
    assert "--cap-drop=ALL" in argv
    assert not [word for word in argv if "privileged" in word]
    assert [w.removeprefix("--cap-add=") for w in argv if "cap-add" in w] == list(HOST_CAPABILITIES)


def test_the_image_store_is_read_only(a_state: ownership.LabState) -> None:
    argv = run_argv(host_spec.plans(a_state, linear.topology(), Path("/seed"))[0].container)
    assert "--volume=/seed:/var/lib/lab-seed:ro" in argv


def test_a_parameter_that_a_plain_host_does_not_know_is_named(a_state: ownership.LabState) -> None:
    with pytest.raises(TopologyError, match=r"'d1'.*shm_siz is.*'shm_size'"):
        host_spec.plain(a_state, "d1", "image", {"shm_siz": "1g"})


def test_values_of_variables_are_in_no_command_line(a_state: ownership.LabState) -> None:
    params = {"environment": {"TOKEN": "terces", "PATH": "/opt/bin", "DOCKER_HOST": "x"}}
    spec = host_spec.plain(a_state, "d1", "image", params).container
    argv = run_argv(spec)
    assert "--env=TOKEN" in argv
    assert not [word for word in argv if "terces" in word]
    assert run_env(spec)["TOKEN"] == "terces"
    # these two would change what the docker command itself does
    assert {"--env=PATH=/opt/bin", "--env=DOCKER_HOST=x"} <= set(argv)
    assert not {"PATH", "DOCKER_HOST"} & set(run_env(spec))


def test_a_command_of_ones_own_replaces_the_entrypoint_as_well(a_state: ownership.LabState) -> None:
    argv = run_argv(host_spec.plain(a_state, "d1", "image", {"dcmd": "sh -c 'sleep 1'"}).container)
    assert argv[-5:] == ["--entrypoint=", "image", "sh", "-c", "sleep 1"]
    assert "--entrypoint=" not in run_argv(host_spec.plain(a_state, "d1", "image", {}).container)


def test_the_labs_own_kind_of_host_takes_limits_and_nothing_that_is_not_its_own(
    a_state: ownership.LabState,
) -> None:
    spec = HostSpec("h", 1, "AMS")
    plan = host_spec.host(a_state, spec, (), Path("/seed"), params={"mem_limit": "1g", "cpus": 0.5})
    assert {"--memory=1g", "--cpu-quota=2500"} <= set(run_argv(plan.container))
    with pytest.raises(TopologyError, match="'h': dcmd is for containers of an image of your own"):
        host_spec.host(a_state, spec, (), Path("/seed"), params={"dcmd": "sh"})
