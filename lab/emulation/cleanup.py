"""Removal of a lab from the machine, by what its record says it owns.

Works on a lab in any condition: half made, half removed, its owner killed, Docker gone.
``python -m lab.emulation.cleanup ID`` removes one lab.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from lab.emulation import registry
from lab.emulation.docker.daemon import SHIM
from lab.emulation.ownership import (
    FOLDER_LABEL,
    LABEL,
    MARK_LABEL,
    VARIABLE,
    LabState,
    Process,
    control_groups,
    labs,
    mount_points,
    processes_with,
)
from lab.emulation.registry import HostRecord, Record
from lab.errors import LabError, MachineError
from lab.hosts import command
from lab.hosts.command import RunCommand
from lab.util import paths
from lab.util.locks import machine_lock_if_free

#: How long the last processes of a lab may take to go after SIGKILL (s).
PATIENCE = 10.0
#: And each of them longer (s): the kernel takes hundreds of hosts down one after the other.
EACH = 0.1
#: How long the process that Docker keeps beside a container may outlive it (s).
SHIM_PATIENCE = 2.0
#: Where `ip netns` keeps namespaces by name.
NAMESPACES = Path("/run/netns")
#: So many of Docker's clients remove containers side by side.
AT_ONCE = 8


async def remove(state: LabState, run: RunCommand = command.run) -> list[str]:
    """Remove everything that a lab owns and then its record; returns what was removed, in words.

    Raises:
        MachineError: something could not be removed; the record stays for another try.
    """
    containers, record = state.owned("container"), registry.read(state.lab_id)
    recorded = [host.container_id for host in record.hosts if host.container_id] if record else []
    done = await remove_containers(state, containers, run)
    done += await end_processes(state)
    done += await _remove_namespaces(state.owned("namespace"), run)
    done += await _remove_links(state.owned("link"), run)
    done += await _unmount(state.owned("mount"), run)
    # Docker may still have been making one when its command was killed
    done += await remove_containers(state, containers, run)
    done += await _end_shims(recorded)
    registry.forget(state.lab_id)
    state.forget()
    return done


def remove_in_subprocess(lab_id: str) -> None:
    """Remove a lab by a process of its own, and wait for it.

    For a program that ends: it can start no thread any more, and the engine needs some.
    """
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-m", "lab.emulation.cleanup", lab_id], cwd=root, check=False)


async def remove_lost(lost: Record, run: RunCommand = command.run) -> list[str]:
    """Remove what a restart of the machine left of a lab: containers that Docker kept, and its records.

    Where the record is damaged, the containers are those that have the lab's id in their label.

    Raises:
        MachineError: a container could not be removed; the record stays for another try.
    """
    if lost.damaged:
        done = await _remove(await _labelled({LABEL: lost.lab_id, FOLDER_LABEL: str(paths.STATE)}, run), run)
        done.append(f"the record of lab {lost.lab_id}, which was damaged: {lost.damaged}")
    else:
        done = await remove_hosts(lost.state, lost.hosts, run)
    registry.forget(lost.lab_id)
    lost.state.forget()
    return done


async def remove_hosts(state: LabState, hosts: Sequence[HostRecord], run: RunCommand) -> list[str]:
    """Remove hosts of a lab, whatever they are made of.

    Raises:
        MachineError: one could not be removed.
    """
    done = await remove_containers(state, [host.container for host in hosts if not host.light], run)
    return done + await end_processes(state, [host.name for host in hosts if host.light])


async def remove_containers(state: LabState, names: Sequence[str], run: RunCommand) -> list[str]:
    """Kill the first process of every container at once, then let Docker delete what is left.

    Raises:
        MachineError: one could not be removed.
    """
    if not names:
        return []
    marked = {MARK_LABEL: state.mark} if state.mark != state.lab_id else {LABEL: state.lab_id}
    return await _remove([name for name in await _labelled(marked, run) if name in names], run)


async def remove_orphans(run: RunCommand = command.run) -> list[str]:
    """Remove containers of labs of which there is no record any more, by their labels alone.

    And those that a build of an image left when Docker was killed.

    Raises:
        MachineError: Docker does not answer, or one could not be removed.
    """
    from lab.images.builders import BUILD  # slow to import

    form = f'{{{{.Names}}}} {{{{.Label "{MARK_LABEL}"}}}}'
    labelled = await _labelled({FOLDER_LABEL: str(paths.STATE)}, run, form)
    # read after that: a lab that began meanwhile has a record, and none of these containers
    known = {state.mark for state in labs()} | {record.mark for record in registry.records()}
    pairs = (line.split() for line in labelled)
    there = [pair[0] for pair in pairs if len(pair) == 2 and pair[1] not in known]
    with machine_lock_if_free("images") as free:  # else a build is under way
        there += await _labelled({BUILD: str(paths.STATE)}, run) if free else []
        return await _remove(there, run)


async def _labelled(labels: Mapping[str, str], run: RunCommand, form: str = "{{.Names}}") -> list[str]:
    """List the containers that have all these labels, running or not.

    Raises:
        MachineError: Docker does not answer.
    """
    argv = ["docker", "ps", "--all", "--no-trunc", "--format", form]
    for name, value in labels.items():
        argv += ["--filter", f"label={name}={value}"]
    result = await run(argv, check=False)
    if result.status:
        raise MachineError(
            "Docker does not answer, so the containers of a lab cannot be removed; start it and run "
            "'lab cleanup' again"
        )
    return result.stdout.splitlines()


async def _remove(there: Sequence[str], run: RunCommand) -> list[str]:
    if not there:
        return []
    shown = await run(["docker", "inspect", "--format", "{{.State.Pid}} {{.Id}}", *there], check=False)
    pairs = [line.split(" ") for line in shown.stdout.splitlines()]
    for pid, container in pairs:
        process = Process.of(int(pid))
        if container in control_groups(process.pid):  # else it has ended, and another has its number
            process.kill()
    # Docker's client takes longer to start than a container to be removed
    parts = [there[n::AT_ONCE] for n in range(min(AT_ONCE, len(there)))]
    await asyncio.gather(*(_delete(part, run) for part in parts))
    return [f"container {name}" for name in there] + await _end_shims([container for _, container in pairs])


async def _end_shims(containers: Collection[str]) -> list[str]:
    """End the process that Docker keeps beside a container, where it outlives the container.

    A Docker daemon that is killed and started again on a busy machine can lose sight of it.
    """
    there, deadline = shims(containers), monotonic() + SHIM_PATIENCE
    while any(shim.alive() for shim in there) and monotonic() < deadline:
        await asyncio.sleep(0.01)
    left = [shim for shim in there if shim.alive()]
    for shim in left:
        shim.kill()
    return [f"process {shim.pid} (Docker's, beside a removed container)" for shim in left]


def shims(containers: Collection[str]) -> list[Process]:
    """Find the processes that Docker keeps beside containers of these ids."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            process = Process.of(int(file.parent.name))
            program, *words = file.read_bytes().decode(errors="replace").split("\0")
            if Path(program).name.startswith(SHIM) and not set(containers).isdisjoint(words):
                found.append(process)
    return found


async def _delete(names: Sequence[str], run: RunCommand) -> None:
    result = await run(["docker", "rm", "--force", "--volumes", *names], check=False, timeout=120)
    failed = [line for line in result.stderr.splitlines() if "No such container" not in line]
    if result.status and failed:
        raise MachineError(
            f"{names[0]} or another container cannot be removed: {failed[-1].strip()}; "
            f"run 'lab cleanup' again"
        )


async def end_processes(state: LabState, hosts: Collection[str] | None = None) -> list[str]:
    """Kill every process of a lab, or of these light hosts alone, and wait until they are gone.

    They carry the lab's id in their environment, and the host's name. A light host ends with its processes.

    Raises:
        MachineError: one stays.
    """
    done, start = list[str](), monotonic()
    # what was killed may have started another just before
    while running := processes(state.lab_id, hosts):
        for process in running:
            process.kill()
        while left := [process.pid for process in running if process.alive()]:
            if monotonic() > start + PATIENCE + EACH * len(running):
                raise MachineError(
                    f"processes {sorted(left)} of lab {state.lab_id} do not end; run 'lab cleanup' again"
                )
            await asyncio.sleep(0.01)
        done += [f"process {process.pid}" for process in running]
    return done


def processes(lab_id: str, hosts: Collection[str] | None = None) -> list[Process]:
    """Find the processes that were started for a lab, or for these hosts alone, by their environment."""
    named = None if hosts is None else [f"HOSTNAME={host}" for host in hosts]
    return processes_with(f"{VARIABLE}={LabState(lab_id).mark}", named)


async def _remove_namespaces(names: Sequence[str], run: RunCommand) -> list[str]:
    there = [name for name in names if (NAMESPACES / name).exists()]
    for name in there:
        await run(["ip", "netns", "delete", name])
    return [f"namespace {name}" for name in there]


async def _remove_links(names: Sequence[str], run: RunCommand) -> list[str]:
    """Delete the links of the lab in this machine's own network.

    Its other ends lie in namespaces that were removed just now, and it would go with them, but the kernel
    takes a namespace down only a moment after its name.
    """
    done = []
    for name in names:
        result = await run(["ip", "link", "delete", name], check=False)
        gone = "Cannot find device" in result.stderr or "No such device" in result.stderr
        if result.status and not gone:
            raise MachineError(
                f"link {name} cannot be removed: {result.stderr.strip()}; run 'lab cleanup' again"
            )
        done += [] if gone else [f"link {name}"]
    return done


async def _unmount(paths: Sequence[str], run: RunCommand) -> list[str]:
    """Unmount the lab's mounts, except those that other processes now use as well."""
    done = []
    for path in paths:
        if path in mount_points() and not any(Path(path).iterdir()):
            await run(["umount", path])
            done.append(f"mount {path}")
    return done


async def remove_all(
    states: Sequence[LabState], run: RunCommand = command.run
) -> tuple[list[str], list[LabError]]:
    """Remove several labs; one that fails does not keep the others."""
    done: list[str] = []
    failed: list[LabError] = []
    for state in states:
        try:
            done += await remove(state, run)
        except LabError as error:
            failed.append(error)
    return done, failed


if __name__ == "__main__":
    asyncio.run(remove(LabState(sys.argv[1])))
