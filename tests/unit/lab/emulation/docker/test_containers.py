"""The command that makes a host container."""

from __future__ import annotations

from lab.emulation.docker.containers import ContainerSpec, cpu_argv, run_argv


def test_a_quota_is_asked_of_docker() -> None:
    argv = run_argv(ContainerSpec("c", "h", "image", cpus=0.5))
    assert "--cpu-period=5000" in argv
    assert "--cpu-quota=2500" in argv
    assert argv[-1] == "image"


def test_a_small_share_is_dealt_out_less_often_rather_than_refused() -> None:
    assert cpu_argv(0.1) == ["--cpu-period=10000", "--cpu-quota=1000"]
    assert cpu_argv(2) == ["--cpu-period=5000", "--cpu-quota=10000"]
