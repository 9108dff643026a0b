"""The words of --on, and what is started for them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError, RunError, UsageError
from lab.spread import clusters
from lab.spread.clusters import (
    SshHosts,
    Where,
    processors,
    scheduler_options,
    slurm_options,
    ssh_hosts,
    tls_config,
    worker_argv,
)
from lab.spread.security import load, make_certificates


@pytest.mark.parametrize("on", ["", "local", "local:0", "local:x", "local:65", "here", "slurm:0", "slurm:x"])
def test_words_that_name_no_machines_are_usage_errors(on: str) -> None:
    with pytest.raises(UsageError):
        Where(on).check()


@pytest.mark.parametrize("on", ["slurm", "slurm:8"])
def test_a_cluster_on_a_network_needs_certificates_or_a_word(on: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="starts a scheduler on a network"):
        Where(on).check()
    Where(on, insecure=True).check()
    make_certificates(tmp_path / "c")
    Where(on, tmp_path / "c").check()


def test_a_list_of_machines_is_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_text("hosts: [a, b]\nuser: root\n")
    assert ssh_hosts(file).hosts == ["a", "b"]
    Where(f"ssh:{file}", insecure=True).check()
    for text, words in {
        "hosts: []": "hosts",
        "hosts: [a]\npass: x": "pass",
        "- a": "hosts",
        "{": "list of",
    }.items():
        file.write_text(text)
        with pytest.raises(RunError, match=words):
            ssh_hosts(file)
    with pytest.raises(RunError, match="cannot be read as a list of machines"):
        ssh_hosts(tmp_path / "none.yaml")


def test_a_scheduler_by_ssh_listens_at_its_address_and_not_at_a_name() -> None:
    def host(**asked: Any) -> Any:
        return scheduler_options(SshHosts(**asked), "tls://").get("host")

    assert host(hosts=["192.0.2.1", "b"]) == "192.0.2.1"
    assert host(hosts=["a"], scheduler="2001:db8::1") == "2001:db8::1"
    assert host(hosts=["a", "192.0.2.1"]) is None  # a name may mean 127.0.1.1 on its own machine


def test_a_job_of_slurm_starts_a_worker_of_the_lab_with_the_certificates(tmp_path: Path) -> None:
    from dask_jobqueue.slurm import SLURMJob

    make_certificates(tmp_path / "c")
    security = load(tmp_path / "c")
    options = slurm_options("slurm", security)
    job = {key: value for key, value in options.items() if key not in ("scheduler_options", "processes")}
    script = SLURMJob("tls://192.0.2.1:1", "x", cores=2, memory="2GB", **job).job_script()
    assert "--worker-class lab.spread.worker.LabWorker" in script
    assert "--no-nanny" in script
    assert f"--tls-ca-file {tmp_path}/c/lab.pem" in script
    assert "PRIVATE KEY" not in script


def test_certificates_are_named_by_their_files_in_dask_s_settings(tmp_path: Path) -> None:
    make_certificates(tmp_path / "c")
    settings = tls_config(load(tmp_path / "c"))
    assert settings["distributed.comm.tls.worker.key"] == str(tmp_path / "c/lab.key")
    assert settings["distributed.comm.require-encryption"] is True
    assert tls_config(None) == {}


def test_workers_of_one_machine_share_its_processors() -> None:
    every = sorted(os.sched_getaffinity(0))
    parts = [processors(number, len(every)) for number in range(len(every))]
    assert sorted(cpu for part in parts for cpu in part) == every
    assert processors(0, len(every) + 1) == every
    argv = worker_argv("tcp://127.0.0.1:1", "local-1", [0])
    assert argv[:3] == ["taskset", "--cpu-list", "0"]
    assert argv[-2:] == ["--share-machine", "--once"]


def test_a_scheduler_that_is_not_there_is_an_error_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect() -> None:
        async with Where("tcp://127.0.0.1:9").client(lambda event: None):
            pass

    monkeypatch.setattr(clusters, "CONNECT", 1.0)
    start = time.monotonic()
    with pytest.raises(LabError, match=r"tcp://127\.0\.0\.1:9 cannot be reached"):
        asyncio.run(connect())
    assert time.monotonic() - start >= 0.9  # it may be about to start
