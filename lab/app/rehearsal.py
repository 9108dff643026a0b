"""A rehearsal: the commands of a real run, on stand-ins for virtual machines that SSH reaches."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lab import images
from lab.app import ssh_vms
from lab.app.request import RunPlan, RunRequest
from lab.app.ssh_vms import VmAccess
from lab.emulation.docker.daemon import Daemon, client
from lab.emulation.emulation import Emulation
from lab.emulation.links import netns
from lab.emulation.ownership import LabState
from lab.events import Emit
from lab.formats import lab_yaml
from lab.hosts import attached
from lab.images.derived import REHEARSAL, ensure_rehearsal
from lab.testbed.inventory import AUTO, Inventory, Machine, Ssh, write
from lab.topology import Topology

#: How long a command may take to end in order after a signal (s).
PATIENCE = 90.0


async def rehearse(
    request: RunRequest,
    plan: RunPlan,
    *,
    hold: bool,
    progress: Callable[[], AbstractContextManager[Emit]],
    announce: Callable[[str], None],
) -> int:
    """Run every command of a real run on stand-ins, from check to restore; returns the exit status.

    With `hold`, only start the stand-ins, and keep them until a signal comes. `progress` draws steps; not
    while a command of the rehearsal runs, which draws its own. `announce` is told of each command before.
    """
    with progress() as emit:
        await _fetch(plan, emit)
        bed = Emulation(plan.topology, shaper=request.shaper, emit=emit, image=REHEARSAL)
        await bed.up()
    try:
        with progress() as emit:
            access = await ssh_vms.open_to_ssh(bed, emit=emit)
        network = ControlNetwork(access, bed.lab_id, write_inventory(access, plan.topology))
        if hold:
            command = shlex.join(network.argv(["check"]))
            announce(f"the stand-ins are up, until Ctrl-C; for example:\n$ {command}")
            await asyncio.get_running_loop().create_future()
        return await _run_all(network, request, plan, announce)
    finally:
        with progress() as emit:
            await asyncio.shield(bed.down())


async def _fetch(plan: RunPlan, emit: Emit) -> None:
    """Get images, and programs that are built from downloads."""

    def build() -> None:
        daemon = Daemon(emit)
        daemon.ensure()
        try:
            images.ensure(client(), emit)
            ensure_rehearsal(client(), emit)
        finally:
            daemon.release()
        for overlay in plan.overlays.values():
            if not overlay.obtainable():  # None: nothing is missing
                overlay.fetch()

    await attached.in_thread(build)


def write_inventory(access: VmAccess, topology: Topology) -> Path:
    """Write the inventory of the stand-ins, and their topology, beside their keys; returns its path."""
    folder = access.key.parent
    (folder / "topology.yaml").write_text(lab_yaml.write(topology))
    machines = {
        name: Machine(address=address, ports={link.interface(name): AUTO for link in topology.links_of(name)})
        for name, address in access.addresses.items()
    }
    ssh = Ssh(user=access.user, key=access.key.name, known_hosts=access.known_hosts.name)
    inventory = Inventory(topology="topology.yaml", ssh=ssh, hosts=machines)
    (folder / "inventory.yaml").write_text(write(inventory))
    return folder / "inventory.yaml"


@dataclass(frozen=True)
class ControlNetwork:
    """The stand-ins' control network, in a namespace of its own: commands run in it reach them."""

    access: VmAccess
    lab_id: str
    inventory: Path

    def argv(self, words: Sequence[str]) -> list[str]:
        """Return the command line that runs a command of `lab testbed` in the network."""
        lab = [sys.executable, "-m", "lab", "testbed", *words, "--inventory", str(self.inventory)]
        return netns.inside(self.access.namespace, lab)

    async def run(self, words: Sequence[str], announce: Callable[[str], None]) -> int:
        """Run a command of `lab testbed` to its end; a signal ends it in order. Returns its status."""
        argv = self.argv(words)
        announce(f"\n$ {shlex.join(argv)}")
        env = {**os.environ, **LabState(self.lab_id).environment}
        process = subprocess.Popen(argv, env=env, start_new_session=True)  # noqa: ASYNC220  it starts at once
        try:
            return await asyncio.to_thread(process.wait)
        except asyncio.CancelledError:
            process.send_signal(signal.SIGINT)
            await asyncio.shield(asyncio.to_thread(_wait_or_kill, process))
            raise


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


async def _run_all(
    network: ControlNetwork, request: RunRequest, plan: RunPlan, announce: Callable[[str], None]
) -> int:
    """Run every step of a real run; a failure ends it, and the machines are restored in any case."""
    if status := await network.run(["check"], announce):
        return status
    run = ["run", request.experiment, *options_of_run(request, plan)]
    status = await network.run(["prepare"], announce) or await network.run(run, announce)
    return max(status, await network.run(["restore"], announce))


def options_of_run(request: RunRequest, plan: RunPlan) -> list[str]:
    """Return the options of `lab testbed run` for a request; the rate is that of the stand-ins' links."""
    given = {
        "--profile": request.profile,
        "--rate": plan.profile.rate,
        "--repetitions": request.repetitions,
        "--duration": request.duration,
        "--bringups": request.bring_ups,
        "--congestion": request.congestion,
        "--seed": request.seed,
        "--on-mode-change": request.on_fallback,
        "--resume": request.resume,
        "--results": request.results,
        "--trace": request.trace,
    }
    words = [word for key, value in given.items() if value is not None for word in (key, str(value))]
    words += [word for name in request.overlays for word in ("--overlay", name)]
    words += [] if request.record else ["--skip-recording"]
    return words + [word for text in request.only for word in ("--cells", text)]
