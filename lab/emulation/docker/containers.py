"""Host containers: the command that makes one, and waiting until the daemon inside answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import HostError, HostTimeout
from lab.hosts.command import RunCommand
from lab.util.concurrency import together
from lab.util.patience import patient

#: System calls that a host does not get: found by trying, as its capabilities were. Docker's own profile
#: would refuse some that the daemon inside needs (keyctl).
SECCOMP = Path(__file__).with_name("seccomp.json")
#: How often a host's share of the processors is dealt out, and the least that the kernel deals (µs).
PERIOD, LEAST_QUOTA = 5_000, 1_000


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be started.

    `cpus` is a share of the machine's processors (1.0 is one of them), enforced by the
    kernel's CPU bandwidth control; `tmpfs` maps a mount point to its
    mount options; `binds` maps a path outside to ``path inside[:options]``. `options` are more
    options of ``docker run``. `command` follows the image's ENTRYPOINT, or replaces it as well
    where `replaces` is set.
    """

    name: str
    hostname: str
    image: str
    labels: Mapping[str, str] = field(default_factory=dict)
    cpus: float | None = None
    capabilities: Sequence[str] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)
    devices: Sequence[str] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    confined: bool = False
    options: Sequence[str] = ()
    replaces: bool = False


#: Variables by which the docker command itself goes; all others reach it by name, through its environment.
DOCKERS_OWN = frozenset({"PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH"})


def _by_name(variable: str) -> bool:
    return variable not in DOCKERS_OWN and not variable.startswith("DOCKER_")


def cpu_argv(cpus: float) -> list[str]:
    """Build the options for a host's share of the processors, in short turns.

    Docker's own ``--cpus`` deals it out every 100 ms: a host with a quarter then runs at full speed
    for 25 ms, and its bursts reach the links faster than any slow machine would send them.
    """
    period = max(PERIOD, round(LEAST_QUOTA / cpus))
    return [f"--cpu-period={period}", f"--cpu-quota={round(period * cpus)}"]


def run_argv(spec: ContainerSpec) -> list[str]:
    """Build the ``docker run`` for a container: no network of Docker's, no privilege but what is listed."""
    argv = ["docker", "run", "--detach", "--pull=never", "--network=none", "--cgroupns=private"]
    argv += [f"--name={spec.name}", f"--hostname={spec.hostname}", "--cap-drop=ALL"]
    argv += [f"--cap-add={name}" for name in spec.capabilities]
    if not spec.confined:
        argv += [f"--security-opt={o}=unconfined" for o in ("apparmor", "systempaths")]
        argv.append(f"--security-opt=seccomp={SECCOMP}")
    argv += [f"--label={k}={v}" for k, v in spec.labels.items()]
    argv += cpu_argv(spec.cpus) if spec.cpus else []
    argv += [f"--tmpfs={where}:{options}" for where, options in spec.tmpfs.items()]
    argv += [f"--volume={outside}:{inside}" for outside, inside in spec.binds.items()]
    argv += [f"--device={device}" for device in spec.devices]
    argv += [f"--sysctl={k}={v}" for k, v in spec.sysctls.items()]
    argv += [f"--env={k}" if _by_name(k) else f"--env={k}={v}" for k, v in spec.env.items()]
    argv += spec.options
    argv += ["--entrypoint="] if spec.replaces else []
    return [*argv, spec.image, *spec.command]


def run_env(spec: ContainerSpec) -> dict[str, str]:
    """Build the environment for `run_argv`: values of variables, which other users must not read."""
    return {k: v for k, v in spec.env.items() if _by_name(k)}


@dataclass(frozen=True)
class Started:
    """A container that runs: its id in Docker, and its first process on this machine."""

    id: str
    pid: int


async def start(specs: Sequence[ContainerSpec], run: RunCommand) -> dict[str, Started]:
    """Start containers in parallel; returns the outcome of each by name.

    Raises:
        HostError: a container ended at once; the message has the end of its log.
    """
    await together(run(run_argv(spec), on=spec.hostname, timeout=60, env=run_env(spec)) for spec in specs)
    names = [spec.name for spec in specs]
    result = await run(["docker", "inspect", "--format", "{{.Id}} {{.State.Pid}}", *names])
    lines = (line.split() for line in result.stdout.splitlines())
    started = {name: Started(id_, int(pid)) for name, (id_, pid) in zip(names, lines, strict=True)}
    for spec in specs:
        if not started[spec.name].pid:
            raise HostError(f"{spec.hostname}: its container ended at once: {await log_tail(spec.name, run)}")
    return started


async def log_tail(container: str, run: RunCommand) -> str:
    """Read the last lines of a container's log, for an error message."""
    result = await run(["docker", "logs", "--tail", "3", container], check=False)
    return " / ".join((result.stdout + result.stderr).split("\n")).strip(" /") or "it said nothing"


#: How long a host's Docker daemon may take to answer (s); six at once take two on two cores.
PATIENCE = 60.0


async def docker_answers(socket: Path, host: str, container: str, run: RunCommand) -> None:
    """Return once the Docker daemon behind a socket answers a ping.

    The daemon opens its socket at once and answers when it is ready, so one blocking
    request is enough; only the socket file itself is waited for.

    Raises:
        HostTimeout: no answer within `PATIENCE`; the message has the end of the container's log.
    """
    try:
        async with asyncio.timeout(patient(PATIENCE)):
            # a look costs next to nothing, and a hundred hosts are looked at
            while not (socket.exists() and await _ping(socket)):
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        log = await log_tail(container, run)
        passed = f"{patient(PATIENCE):g} s"
        raise HostTimeout(f"{host}: its Docker daemon gave no answer in {passed}: {log}") from error


async def _ping(socket: Path) -> bool:
    """Ask the daemon once; False while it does not listen."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    try:
        writer.write(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in await reader.readline()
    except ConnectionError:
        return False
    finally:
        writer.close()
