"""Containernet's parameters as options of ``docker run``, each told without Docker."""

from __future__ import annotations

from typing import Any

import pytest

from lab.emulation.docker import run_options
from lab.emulation.docker.capabilities import CONTAINER_CAPABILITIES
from lab.emulation.docker.run_options import translate
from lab.errors import TopologyError
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({"cpus": 0.5}, ["--cpu-period=5000", "--cpu-quota=2500"]),
        ({"cpu_period": 50000, "cpu_quota": 25000}, ["--cpu-period=50000", "--cpu-quota=25000"]),
        ({"cpu_shares": 20, "cpuset_cpus": "0,1"}, ["--cpu-shares=20", "--cpuset-cpus=0,1"]),
        ({"mem_limit": "64m", "memswap_limit": 134217728}, ["--memory=64m", "--memory-swap=134217728"]),
        ({"tmpfs": ["/v:size=3G,uid=1000"]}, ["--tmpfs=/v:size=3G,uid=1000"]),
        ({"tmpfs": {"/v": "size=1m", "/w": ""}}, ["--tmpfs=/v:size=1m", "--tmpfs=/w"]),
        (
            {"devices": ["/dev/net/tun", "/dev/a:/dev/b:r"]},
            ["--device=/dev/net/tun", "--device=/dev/a:/dev/b:r"],
        ),
        (
            {"devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "rw"}]},
            ["--device=/dev/a:/dev/b:rw"],
        ),
        ({"sysctls": {"net.ipv4.ip_forward": True}}, ["--sysctl=net.ipv4.ip_forward=1"]),
        ({"storage_opt": {"size": "42m"}}, ["--storage-opt=size=42m"]),
        ({"shm_size": "64mb", "ipc_mode": "shareable"}, ["--shm-size=64mb", "--ipc=shareable"]),
        ({"dns": ["10.0.0.1", "10.0.0.2"]}, ["--dns=10.0.0.1", "--dns=10.0.0.2"]),
        ({"extra_hosts": {"web": "10.0.0.2"}}, ["--add-host=web:10.0.0.2"]),
        ({"extra_hosts": ["web:fd00::2"]}, ["--add-host=web:fd00::2"]),
        ({"runtime": "runc", "user": "1000:1000"}, ["--runtime=runc", "--user=1000:1000"]),
        ({"volumes": ["/:/mnt/vol1:rw"]}, ["--mount=type=bind,source=/,target=/mnt/vol1"]),
        (
            {"volumes": ["/a:/b:ro,rslave"]},
            ["--mount=type=bind,source=/a,target=/b,readonly,bind-propagation=rslave"],
        ),
        (
            {"volumes": {"/a": {"bind": "/b", "mode": "ro"}}},
            ["--mount=type=bind,source=/a,target=/b,readonly"],
        ),
        ({"volumes": ["/a,b:/c"]}, ['--mount=type=bind,"source=/a,b",target=/c']),
        ({"volumes": ["/scratch"]}, ["--volume=/scratch"]),
        # what Containernet's own defaults say asks for nothing
        ({"network_mode": None, "cpu_quota": None, "ports": [], "dns": [], "device_requests": []}, []),
        ({"privileged": False, "network_mode": "none", "rm": True}, []),
    ],
)
def test_a_parameter_becomes_options_of_docker(params: dict[str, Any], options: list[str]) -> None:
    assert list(translate("d1", params).options) == options


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"privileged": True}, r"'d1': privileged=True is not supported: .*cap_add"),
        ({"network_mode": "bridge"}, r"network_mode='bridge' is not supported: .*port_bindings"),
        ({"network_mode": "host"}, r"network_mode='host'"),
        ({"device_requests": [object()]}, r"device_requests=.*graphics"),
        ({"cpu_share": 0.3}, r"parameter cpu_share is not supported; did you mean 'cpu_shares'\?"),
        ({"colour": "red"}, r"parameter colour is not supported; docs/reference/containernet.md"),
        ({"volumes": ["data:/data"]}, r"volumes=.*'data' is no absolute path"),
        ({"volumes": ["/a:/b:fast"]}, r"'fast' is no mode of a volume"),
        ({"cpu_quota": "much"}, r"cpu_quota='much' cannot be used"),
        ({"environment": ["A"]}, r"environment=.*'A' has no '='"),
        ({"environment": 7}, r"environment=7 cannot be used"),
        ({"cpus": 1, "cpu_quota": 1000}, r"cpus and cpu_quota/cpu_period say the same"),
    ],
)
def test_what_cannot_be_had_is_named_with_a_reason(params: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        translate("d1", params)


def test_a_list_says_what_a_mapping_does() -> None:
    assert (
        run_options.pairs(["A=1=2", "B="])
        == run_options.pairs({"A": "1=2", "B": ""})
        == {"A": "1=2", "B": ""}
    )


def test_capabilities_start_from_dockers_default_and_a_network() -> None:
    assert translate("d1", {}).capabilities == CONTAINER_CAPABILITIES
    assert translate("d1", {"cap_add": ["net_admin", "CAP_SYS_PTRACE"]}).capabilities == (
        *CONTAINER_CAPABILITIES,
        "SYS_PTRACE",
    )
    assert "MKNOD" not in translate("d1", {"cap_drop": ["mknod"]}).capabilities
    assert translate("d1", {"cap_drop": ["ALL"]}).capabilities == ()


def test_no_parameter_is_in_two_tables() -> None:
    tables = [set(run_options.KNOWN), set(run_options.ELSEWHERE), set(run_options.REFUSED)]
    assert len(set.union(*tables)) == sum(map(len, tables))
    assert set(run_options.REFUSED) >= run_options.HARMLESS


def test_the_documentation_has_every_parameter_and_what_becomes_of_it() -> None:
    assert run_options.table() in ROOT.joinpath("docs", "reference", "containernet.md").read_text()
    assert run_options.markdown("t", {"b": "x", "a": "y"}, {"d": "no d", "c": "no c"}).splitlines() == [
        "| `t` |  | meaning, or why not |",
        "| --- | --- | --- |",
        "| `a` | yes | y |",
        "| `b` | yes | x |",
        "| `c` | no | no c |",
        "| `d` | no | no d |",
    ]


@pytest.mark.parametrize("way", ["shared", "slave", "private", "rshared", "rslave", "rprivate"])
def test_mounts_of_a_volume_spread_in_each_of_dockers_ways(way: str) -> None:
    mount = f"--mount=type=bind,source=/a,target=/b,bind-propagation={way}"
    assert list(translate("d1", {"volumes": [f"/a:/b:{way}"]}).options) == [mount]


@pytest.mark.parametrize("mode", ["none", ""])
def test_a_host_without_a_network_of_dockers_may_say_so(mode: str) -> None:
    assert run_options.translate("d1", {"network_mode": mode}).options == ()
    with pytest.raises(TopologyError, match="'d1': network_mode='bridge' is not supported"):
        run_options.translate("d1", {"network_mode": "bridge"})
