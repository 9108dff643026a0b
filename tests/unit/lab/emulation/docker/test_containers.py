"""Host containers are planned without root: the command, and what it must not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.emulation import ownership
from lab.emulation.docker import host_spec
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.docker.containers import ContainerSpec, cpu_argv, run_argv
from lab.errors import TopologyError
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


def test_quota_and_memory_are_asked_of_docker() -> None:
    argv = run_argv(ContainerSpec("c", "h", "image", cpus=0.5, memory=1 << 30))
    assert "--cpu-period=5000" in argv
    assert "--cpu-quota=2500" in argv
    assert "--memory=1073741824" in argv
    assert argv[-1] == "image"


def test_a_small_share_is_dealt_out_less_often_rather_than_refused() -> None:
    assert cpu_argv(0.1) == ["--cpu-period=10000", "--cpu-quota=1000"]
    assert cpu_argv(2) == ["--cpu-period=5000", "--cpu-quota=10000"]


def test_a_parameter_that_a_plain_host_does_not_know_is_named(a_state: ownership.LabState) -> None:
    with pytest.raises(TopologyError, match=r"'d1'.*shm_siz is.*'shm_size'"):
        host_spec.plain(a_state, "d1", "image", {"shm_siz": "1g"})
