"""The command that makes a host container."""

from __future__ import annotations

import json

from lab.emulation.docker.containers import SECCOMP, ContainerSpec, cpu_argv, run_argv


def test_a_quota_is_asked_of_docker() -> None:
    argv = run_argv(ContainerSpec("c", "h", "image", cpus=0.5))
    assert "--cpu-period=5000" in argv
    assert "--cpu-quota=2500" in argv
    assert argv[-1] == "image"


def test_a_small_share_is_dealt_out_less_often_rather_than_refused() -> None:
    assert cpu_argv(0.1) == ["--cpu-period=10000", "--cpu-quota=1000"]
    assert cpu_argv(2) == ["--cpu-period=5000", "--cpu-quota=10000"]


def test_a_host_gets_a_profile_of_system_calls_and_a_container_of_a_users_image_dockers_own() -> None:
    host, container = (run_argv(ContainerSpec("c", "h", "image", confined=own)) for own in (False, True))
    assert f"--security-opt=seccomp={SECCOMP}" in host
    assert not any("seccomp=unconfined" in word for word in host)
    assert not any("security-opt" in word for word in container)


def test_the_profile_is_one_that_docker_takes() -> None:
    profile = json.loads(SECCOMP.read_text())
    names = [name for rule in profile["syscalls"] for name in rule["names"]]
    assert len(names) == len(set(names))
    assert {rule["action"] for rule in profile["syscalls"]} == {"SCMP_ACT_ERRNO"}
    assert {"init_module", "kexec_load", "perf_event_open"} <= set(names)
    # the daemon inside, and what it runs
    assert not {"mount", "unshare", "setns", "keyctl", "bpf", "pivot_root", "clone3"} & set(names)
