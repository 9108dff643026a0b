"""The machines of a spread run: a scheduler that runs already, or workers here, by SSH, or by Slurm."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lab.errors import MachineError, RunError, UsageError
from lab.events import Emit, Note
from lab.spread.messages import read
from lab.spread.security import check, load

if TYPE_CHECKING:
    from distributed import Client, SpecCluster
    from distributed.security import Security

KINDS = "tcp://HOST:PORT, tls://HOST:PORT, local:N, ssh:FILE or slurm[:N]"
WORKER = "lab.spread.worker.LabWorker"
#: How long the machines of a cluster may take to join before the run begins with those that are there (s).
JOIN = 60.0
#: How long a scheduler that runs already may take to answer (s).
CONNECT = 20.0
#: How long a scheduler on another machine stays without work (s).
UNUSED = 900.0
#: Workers side by side on one machine.
MOST_LOCAL = 64


@dataclass(frozen=True)
class Where:
    """The machines of a run, as the user names them; see `KINDS`."""

    on: str
    certificates: Path | None = None
    insecure: bool = False

    def check(self) -> None:
        """Check the words, before anything is started.

        Raises:
            UsageError: they name no machines, or do not go with the certificates.
            RunError: a plain scheduler on a network, or certificates that cannot be used.
        """
        if self.on.startswith(("tcp:", "tls:")):
            check(self.on, self.certificates, self.insecure)
        elif self.on.startswith("local:"):
            local_workers(self.on)
        elif self.on.startswith("ssh:"):
            ssh_hosts(Path(self.on.removeprefix("ssh:")))
            self._secure()
        elif re.fullmatch(r"slurm(:[1-9]\d{0,3})?", self.on):
            self._secure()
        else:
            raise UsageError(f"--on {self.on} names no machines; give {KINDS}")

    def _secure(self) -> Security | None:
        """Return the settings of Dask for a cluster that this process starts on a network."""
        if self.certificates is not None:
            return load(self.certificates)
        if not self.insecure:
            raise RunError(
                f"--on {self.on} starts a scheduler on a network: add --certificates FOLDER "
                "('lab worker --make-certificates'), or --insecure where only you reach it"
            )
        return None

    @asynccontextmanager
    async def client(self, emit: Emit) -> AsyncIterator[tuple[Client, int]]:
        """Connect, or start a cluster; yields the client and the number of machines to expect.

        Raises:
            RunError: the scheduler does not answer, or the cluster does not start.
        """
        logging.getLogger("distributed").setLevel(logging.ERROR)  # what matters comes as events
        async with AsyncExitStack() as stack:
            if self.on.startswith("local:"):
                address, security, count = await stack.enter_async_context(_local(self.on, emit))
            elif self.on.startswith("ssh:"):
                address, security, count = await stack.enter_async_context(_ssh(self.on, self._secure()))
            elif self.on.startswith("slurm"):
                address, security, count = await stack.enter_async_context(_slurm(self.on, self._secure()))
            else:
                address, count = self.on, 1
                security = check(self.on, self.certificates, self.insecure)
            yield await stack.enter_async_context(_connected(address, security)), count


@asynccontextmanager
async def _connected(address: str, security: Security | None) -> AsyncIterator[Client]:
    from distributed import Client

    client = Client(address, security=security, asynchronous=True, set_as_default=False, timeout=CONNECT)
    try:
        await client
    except (OSError, TimeoutError) as error:
        raise RunError(
            f"the scheduler {address} cannot be reached: {error}; start it, or name another"
        ) from None
    try:
        yield client
    finally:
        await client.close(timeout=5)


def local_workers(on: str) -> int:
    """Return the number of workers of ``local:N``.

    Raises:
        UsageError: there is none, or too many.
    """
    text = on.removeprefix("local:")
    if not text.isdigit() or not 1 <= int(text) <= MOST_LOCAL:
        raise UsageError(f"--on {on}: give local:1 to local:{MOST_LOCAL}")
    return int(text)


@asynccontextmanager
async def _local(on: str, emit: Emit) -> AsyncIterator[tuple[str, None, int]]:
    """Start a scheduler in this process, and workers on this machine that share its processors."""
    from distributed import Scheduler

    count = local_workers(on)
    if count > 1:
        emit(Note(f"{count} workers share this machine; samples in real time may be limited by it"))
    async with Scheduler(
        host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0"
    ) as scheduler:
        workers: list[asyncio.subprocess.Process] = []
        try:
            for number in range(count):
                argv = worker_argv(scheduler.address, f"local-{number + 1}", processors(number, count))
                # their messages are of Dask; what concerns the user comes as events
                workers.append(await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL))
            yield scheduler.address, None, count
        finally:
            await asyncio.gather(*(_end(worker) for worker in workers))


def worker_argv(address: str, name: str, cpus: Sequence[int]) -> list[str]:
    """Return the command of one of several workers on this machine, on these processors."""
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cpus))]
    return [
        *pinned,
        sys.executable,
        "-m",
        "lab",
        "worker",
        address,
        "--name",
        name,
        "--share-machine",
        "--once",
    ]


def processors(number: int, count: int) -> list[int]:
    """Return the processors of one of `count` workers on this machine; all if there are too few."""
    every = sorted(os.sched_getaffinity(0))
    return every[number::count] if len(every) >= count else every


async def _end(worker: asyncio.subprocess.Process) -> None:
    """End a worker in order: it removes its lab."""
    if worker.returncode is None:
        worker.terminate()
    try:
        async with asyncio.timeout(JOIN):
            await worker.wait()
    except TimeoutError:
        worker.kill()
        await worker.wait()


class SshHosts(BaseModel):
    """The file of ``--on ssh:FILE``: machines, and how they are reached."""

    model_config = ConfigDict(extra="forbid")

    hosts: Annotated[list[str], Field(min_length=1)]
    #: Where the scheduler runs; the first of `hosts` by default.
    scheduler: str = ""
    user: str = "root"
    #: Python of the lab on these machines.
    python: str = "/usr/bin/python3"
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    #: Files of this machine: keys of the hosts, and the private key to log in with.
    known_hosts: str | None = None
    key: str | None = None


def ssh_hosts(path: Path) -> SshHosts:
    """Read the file of ``--on ssh:FILE``.

    Raises:
        RunError: it cannot be read, or holds something else.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read as a list of machines: {error}") from None
    return read(SshHosts, found if isinstance(found, dict) else {}, str(path))


@asynccontextmanager
async def _ssh(on: str, security: Security | None) -> AsyncIterator[tuple[str, Security | None, int]]:
    import dask
    from distributed import SSHCluster

    asked = ssh_hosts(Path(on.removeprefix("ssh:")))
    connect: dict[str, Any] = {"username": asked.user, "port": asked.port}
    connect |= {"known_hosts": asked.known_hosts} if asked.known_hosts else {}
    connect |= {"client_keys": [asked.key]} if asked.key else {}
    protocol = "tls://" if security else "tcp://"
    with dask.config.set(tls_config(security)):  # which `SSHCluster` takes to the machines
        try:
            cluster = await SSHCluster(
                [asked.scheduler or asked.hosts[0], *asked.hosts],
                connect_options=connect,
                worker_class=WORKER,
                remote_python=asked.python,
                scheduler_options=scheduler_options(asked, protocol),
                worker_options={"protocol": protocol},
                security=security,
                asynchronous=True,
            )
        except Exception as error:  # of SSH or of the program there, and of no common kind
            raise RunError(
                f"{on}: the machines cannot be started by SSH: {error or type(error).__name__}"
            ) from error
        try:
            yield cluster.scheduler_address, security, len(asked.hosts)
        finally:
            await _close(cluster)


def scheduler_options(asked: SshHosts, protocol: str) -> dict[str, Any]:
    """Return what the scheduler is given. It listens at its address, where that and no name is given.

    By itself, Dask takes the address from the way to the internet, and names 127.0.0.1 where there is none.
    A scheduler without work ends after a time: SSH does not end it where the connection is lost.
    """
    always = {"protocol": protocol, "dashboard": False, "idle_timeout": f"{UNUSED:g}s"}
    with suppress(ValueError):
        return {**always, "host": str(ip_address(asked.scheduler or asked.hosts[0]))}
    return always


async def _close(cluster: SpecCluster) -> None:
    if (closing := cluster.close()) is not None:
        await closing


def tls_config(security: Security | None) -> dict[str, Any]:
    """Return Dask's settings for certificates that lie at the same place on every machine."""
    if security is None:
        return {}
    roles = {
        f"distributed.comm.tls.{role}.{part}": getattr(security, f"tls_{role}_{part}")
        for role in ("client", "scheduler", "worker")
        for part in ("cert", "key")
    }
    return {
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls.ca-file": getattr(security, "tls_ca_file"),  # noqa: B009  of no declared type
        **roles,
    }


def slurm_options(on: str, security: Security | None) -> dict[str, Any]:
    """Return what `dask_jobqueue.SLURMCluster` is given beside the user's own settings in its file."""
    return {
        "processes": 1,
        "nanny": False,
        "python": sys.executable,
        "worker_extra_args": ["--worker-class", WORKER],
        "protocol": "tls://" if security else "tcp://",
        "security": security,
        "scheduler_options": {"dashboard": False},
    }


@asynccontextmanager
async def _slurm(on: str, security: Security | None) -> AsyncIterator[tuple[str, Security | None, int]]:
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError:
        raise MachineError("--on slurm needs dask-jobqueue; pip install 'overlay-lab[spread]'") from None
    count = int(on.partition(":")[2] or 1)
    try:
        cluster = await SLURMCluster(**slurm_options(on, security), asynchronous=True)
        cluster.scale(jobs=count)
    except (OSError, ValueError, RuntimeError) as error:
        raise RunError(f"--on {on}: no job can be submitted: {error}; see jobqueue.yaml of Dask") from error
    try:
        yield cluster.scheduler_address, security, count
    finally:
        await _close(cluster)
