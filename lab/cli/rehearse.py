"""lab rehearse: a real run against stand-ins on this machine, before a testbed is booked."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import (
    SPARES,
    Duration,
    ExperimentName,
    OnFallback,
    Only,
    Overlays,
    ProfileName,
    Repetitions,
    Results,
    Resume,
    Seed,
    ShaperName,
    Spares,
    Weaver,
)
from lab.errors import MachineError

if TYPE_CHECKING:
    from lab.app import run
    from lab.emulation.ssh_vms import VmAccess
    from lab.events import Emit
    from lab.topology import Topology

#: How long a command may take to end in order after a signal (s).
PATIENCE = 90.0


def command(
    experiment: ExperimentName,
    topology: Annotated[
        str, typer.Option("--topology", "-t", help="Name or file; the experiment's own by default.")
    ] = "",
    overlay: Overlays = None,
    profile: ProfileName = "quick",
    rate: Annotated[float | None, typer.Option(help="Rate of every link in Mbit/s.")] = None,
    repetitions: Repetitions = None,
    duration: Duration = None,
    spares: Spares = SPARES,
    only: Only = None,
    seed: Seed = None,
    shaper: ShaperName = "auto",
    on_fallback: OnFallback = "mark",
    weaver: Weaver = None,
    resume: Resume = None,
    results: Results = Path("results"),
    trace: Annotated[
        Path | None, typer.Option(help="Write every command to files of this name, one per host.")
    ] = None,
    hold: Annotated[bool, typer.Option(help="Only start the stand-ins, and keep them until Ctrl-C.")] = False,
) -> None:
    """Run an experiment over SSH on stand-ins for virtual machines, from check to restore. Needs root.

    The stand-ins are emulated hosts with sshd, a control network on eth0 and shaped data links that
    have no addresses yet. On them the commands run that a real testbed gets, and they are printed.

    Example: sudo python -m lab rehearse multihop --overlay underlay --overlay libnetwork
    """
    from lab.app import run

    if weaver:
        os.environ["LAB_WEAVER"] = weaver
    asked = run.RunRequest(
        experiment=experiment,
        topology=topology,
        overlays=tuple(overlay or ()),
        profile=profile,
        rate=rate,
        repetitions=repetitions,
        duration=duration,
        spares=spares,
        only=tuple(only or ()),
        seed=seed,
        shaper=shaper,
        on_fallback=on_fallback,
        resume=resume,
        results=results,
        trace=trace,
        verb="rehearse",
    )
    if os.geteuid() != 0:
        raise MachineError(f"rehearse needs root: sudo {sys.executable} -m lab rehearse {experiment}")
    sys.exit(_run(asked, hold))


def _run(asked: run.RunRequest, hold: bool) -> int:
    from lab.util.signals import cancel_on_signal

    try:
        return asyncio.run(cancel_on_signal(_rehearse(asked, hold)))
    except asyncio.CancelledError:
        print("lab: interrupted; everything was taken away", file=sys.stderr)
        return 130


async def _rehearse(asked: run.RunRequest, hold: bool) -> int:
    from lab.app import run
    from lab.cli.console import progress
    from lab.emulation import ssh_vms
    from lab.emulation.emulation import Emulation
    from lab.images.derived import REHEARSAL

    settled = run.parts(asked)
    with progress() as emit:
        await _supply(settled, emit)
        bed = Emulation(settled.topology, shaper=asked.shaper, emit=emit, image=REHEARSAL)
        await bed.up()
    try:
        with progress() as emit:
            access = await ssh_vms.open_to_ssh(bed, emit=emit)
        inside = Inside(access, bed.lab_id, write_inventory(access, settled.topology))
        if hold:
            return await _hold(inside)
        return await _through(inside, asked, settled)
    finally:
        with progress() as emit:
            await asyncio.shield(bed.down())


async def _supply(settled: run.RunPlan, emit: Emit) -> None:
    """What can be had only from outside: images, and programs that are built from downloads."""
    from lab import images
    from lab.emulation.docker.daemon import Daemon, client
    from lab.images.derived import ensure_rehearsal
    from overlays.flannel import flanneld

    def build() -> None:
        daemon = Daemon(emit)
        daemon.ensure()
        try:
            images.ensure(client(), emit)
            ensure_rehearsal(client(), emit)
        finally:
            daemon.release()

    await asyncio.to_thread(build)
    if any(overlay.name == "flannel" for overlay in settled.overlays.values()):
        await asyncio.to_thread(flanneld.program)


def write_inventory(access: VmAccess, topology: Topology) -> Path:
    """Write the inventory of the stand-ins, and their topology, beside their keys."""
    from lab.formats import lab_yaml
    from lab.testbed.inventory import AUTO, Inventory, Machine, Ssh, write

    folder = access.key.parent
    (folder / "topology.yaml").write_text(lab_yaml.write(topology))
    machines = {
        name: Machine(address=address, ports={link.interface(name): AUTO for link in topology.links_of(name)})
        for name, address in access.addresses.items()
    }
    ssh = Ssh(user=access.user, key=access.key.name, known_hosts=access.known_hosts.name)
    found = Inventory(topology="topology.yaml", ssh=ssh, hosts=machines)
    (folder / "inventory.yaml").write_text(write(found))
    return folder / "inventory.yaml"


@dataclass(frozen=True)
class Inside:
    """The place of the stand-ins' control network: commands run in it reach them."""

    access: VmAccess
    lab_id: str
    inventory: Path

    def argv(self, words: Sequence[str]) -> list[str]:
        from lab.emulation.links import netns

        lab = [sys.executable, "-m", "lab", "testbed", *words, "--inventory", str(self.inventory)]
        return netns.inside(self.access.namespace, lab)

    async def run(self, words: Sequence[str]) -> int:
        """Run a command of `lab testbed` to its end; a signal ends it in order."""
        argv = self.argv(words)
        print(f"\n$ {shlex.join(argv)}", flush=True)
        env = {**os.environ, "LAB_ID": self.lab_id}
        process = subprocess.Popen(argv, env=env, start_new_session=True)  # noqa: ASYNC220  it starts at once
        try:
            return await asyncio.to_thread(process.wait)
        except asyncio.CancelledError:
            process.send_signal(signal.SIGINT)
            await asyncio.shield(asyncio.to_thread(_wait, process))
            raise


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


async def _through(inside: Inside, asked: run.RunRequest, settled: run.RunPlan) -> int:
    """Every step of a real run; what fails ends it, and the machines are given back in any case."""
    if status := await inside.run(["check"]):
        return status
    status = await inside.run(["prepare"])
    status = status or await inside.run(["run", asked.experiment, *_words(asked, settled)])
    return max(status, await inside.run(["restore"]))


def _words(asked: run.RunRequest, settled: run.RunPlan) -> list[str]:
    """The options of the run; the rate is that of the stand-ins' links."""
    given = {
        "--profile": asked.profile,
        "--rate": settled.profile.rate,
        "--repetitions": asked.repetitions,
        "--duration": asked.duration,
        "--spares": asked.spares,
        "--seed": asked.seed,
        "--on-fallback": asked.on_fallback,
        "--resume": asked.resume,
        "--results": asked.results,
        "--trace": asked.trace,
    }
    words = [word for key, value in given.items() if value is not None for word in (key, str(value))]
    words += [word for name in asked.overlays for word in ("--overlay", name)]
    return words + [word for text in asked.only for word in ("--only", text)]


async def _hold(inside: Inside) -> int:
    """Keep the stand-ins until a signal comes."""
    print(
        f"the stand-ins are up, until Ctrl-C; for example:\n$ {shlex.join(inside.argv(['check']))}",
        flush=True,
    )
    await asyncio.get_running_loop().create_future()
    return 0
