"""CPU time of host containers, from control groups of both versions."""

from __future__ import annotations

from pathlib import Path

from lab.measure import cgroups

V1 = """\
9:name=systemd:/docker/0123abc
4:memory:/docker/0123abc
2:cpuacct:/docker/0123abc/init
1:cpu:/docker/0123abc/init
0::/docker/0123abc
"""


def test_groups_of_a_container_on_v1_are_those_above_its_daemon(tmp_path: Path) -> None:
    for controller in ("cpu", "cpuacct"):
        (tmp_path / controller / "docker/0123abc/init").mkdir(parents=True)
    (tmp_path / "cpu/docker/0123abc/cpu.stat").write_text("nr_periods 5\nthrottled_time 250000000\n")
    (tmp_path / "cpuacct/docker/0123abc/cpuacct.usage").write_text("1500000000\n")
    found = cgroups.folders(V1, "0123abc", tmp_path)
    assert {f.relative_to(tmp_path).as_posix() for f in found} == {
        "cpu/docker/0123abc",
        "cpuacct/docker/0123abc",
    }
    assert cgroups.read_cpu(found) == cgroups.HostCpu(1.5, 0.25)


def test_groups_of_a_container_on_v2(tmp_path: Path) -> None:
    scope = tmp_path / "system.slice/docker-0123abc.scope"
    scope.mkdir(parents=True)
    (scope / "cpu.stat").write_text("usage_usec 2500000\nnr_throttled 3\nthrottled_usec 750000\n")
    found = cgroups.folders("0::/system.slice/docker-0123abc.scope/init\n", "0123abc", tmp_path)
    assert found == (scope,)
    assert cgroups.read_cpu(found) == cgroups.HostCpu(2.5, 0.75)
    # and with pressure kept, each host has its own
    some = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1250000\n"
    (scope / "cpu.pressure").write_text(some + some.replace("some", "full"))
    assert cgroups.read_cpu(found) == cgroups.HostCpu(2.5, 0.75, 1.25)


def test_a_group_that_is_gone_counts_as_no_time(tmp_path: Path) -> None:
    assert cgroups.folders(V1, "0123abc", tmp_path) == ()
    assert cgroups.read_cpu((tmp_path / "gone",)) == cgroups.HostCpu(0, 0)


def test_hosts_have_what_was_added() -> None:
    before, after = cgroups.HostCpu(1.0, 0.5), cgroups.HostCpu(3.25, 0.75)
    assert after.since(before) == {"cpu_s": 2.25, "throttled_s": 0.25}
    waited = cgroups.HostCpu(3.25, 0.75, 2.0).since(cgroups.HostCpu(1.0, 0.5, 0.5))
    assert waited == {"cpu_s": 2.25, "throttled_s": 0.25, "waiting_s": 1.5}
