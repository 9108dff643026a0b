"""Host containers are planned without root: the command, and what it must not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def test_a_host_is_all_that_its_daemon_needs(a_state: ownership.LabState) -> None:
    topology = linear.topology()
    (plan,) = host_spec.plans(a_state, topology, Path("/seed"), "of/mine", only=["PRG"])
    shared = a_state.shared(plan.number)
    assert (plan.name, plan.number, plan.socket) == ("PRG", 2, shared / "docker.sock")
    made = plan.container
    assert (made.name, made.hostname, made.image) == (f"lab-{a_state.lab_id}-PRG", "PRG", "of/mine")
    assert made.labels == {**a_state.labels, "lab.host": "PRG"}
    assert made.env == a_state.environment
    assert made.binds == {"/seed": "/var/lib/lab-seed:ro", str(shared): "/run/lab"}
    assert made.tmpfs == {"/var/lib/docker": "rw,exec,dev,suid,mode=0710,size=4g"}
    assert (made.devices, made.sysctls) == (("/dev/net/tun",), {"net.ipv4.ip_forward": "1"})
    assert not made.confined


@pytest.mark.parametrize(
    "given",
    [
        *({"cpus": 1}, {"cpu_quota": 50000}, {"cpu_period": 50000}, {"cpu_shares": 10}, {"cpuset_cpus": "0"}),
        *({"mem_limit": "1g"}, {"memory": "1g"}, {"memswap_limit": "1g"}, {"environment": {"A": "b"}}),
        *({"volumes": ["/a:/b"]}, {"devices": ["/dev/null"]}, {"dns": ["192.0.2.1"]}, {"rm": True}),
        *({"extra_hosts": {"x": "192.0.2.1"}}, {"ip": "192.0.2.1/24"}, {"mac": "02:00:00:00:00:01"}),
        *({"defaultRoute": "via 192.0.2.1"}, {"site": "AMS"}, {"dcmd": None}),
    ],
    ids=lambda given: next(iter(given)),
)
def test_the_labs_own_kind_of_host_takes_what_a_machine_has(
    a_state: ownership.LabState, given: dict[str, Any]
) -> None:
    assert host_spec.host(a_state, HostSpec("h", 1, "AMS"), (), Path("/seed"), params=given).name == "h"


def test_a_host_of_any_image_has_a_terminal_and_its_options(a_state: ownership.LabState) -> None:
    plan = host_spec.plain(
        a_state, "d1", "image", {"mem_limit": "1g", "cap_add": ["NET_ADMIN"], "site": "AMS"}
    )
    assert plan.container.options == ("--interactive", "--tty", "--memory=1g")
    assert (plan.site, plan.addresses, plan.socket, plan.container.confined) == ("AMS", (), None, True)
    assert "NET_ADMIN" in plan.container.capabilities
    assert host_spec.plain(a_state, "d1", "image", {}).site == "d1"
    assert plan.number == 0, "that is not settled yet"
    assert plan.container.env == a_state.environment
