"""lab rehearse: a real run against stand-ins on this machine, before a testbed is booked."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from lab.cli.experiment_options import ExperimentOptions, takes_experiment_options
from lab.cli.options import ExperimentName, HostTraces, Rate, ShaperName, TopologyOption
from lab.cli.process import need_root, wait
from lab.cli.topologies import tell


@takes_experiment_options
def command(
    experiment: ExperimentName,
    *,
    topology: TopologyOption = "",
    options: ExperimentOptions,
    rate: Rate = None,
    shaper: ShaperName = "auto",
    trace: HostTraces = None,
    hold: Annotated[bool, typer.Option(help="Only start the stand-ins, and keep them until Ctrl-C.")] = False,
) -> None:
    """Run an experiment over SSH on stand-ins for virtual machines, from check to restore. Needs root.

    The stand-ins are emulated hosts with sshd, a control network on eth0 and shaped data links that
    have no addresses yet. On them the commands run that a real testbed gets, and they are printed.

    Example: sudo python -m lab rehearse multihop --overlay underlay --overlay libnetwork
    """
    from lab.app.rehearsal import rehearse
    from lab.app.request import plan_run
    from lab.cli.console import progress

    need_root("rehearse", experiment)
    own = {"topology": topology, "rate": rate, "shaper": shaper, "trace": trace}
    request = options.request(experiment, "rehearse", **own)
    announce = partial(print, flush=True)
    work = rehearse(request, plan_run(request, tell), hold=hold, progress=progress, announce=announce)
    sys.exit(wait(work, "everything was taken away"))
