"""lab testbed rehearse: a real run against stand-ins on this machine, before a testbed is booked."""

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
    keep: Annotated[
        bool, typer.Option("--keep", help="Only start the stand-ins, and keep them until Ctrl-C.")
    ] = False,
) -> None:
    """Try a whole run on stand-ins for real machines, before you book a testbed.

    Needs root on this machine. The stand-ins are emulated hosts with SSH. The commands that real
    machines would get run on them, from 'check' to 'restore', and are printed.

    Example: sudo lab testbed rehearse multihop --overlay underlay --overlay libnetwork
    """
    from lab.app.rehearsal import rehearse
    from lab.app.request import plan_run
    from lab.cli.console import progress

    need_root("testbed rehearse", experiment)
    own = {"topology": topology, "rate": rate, "shaper": shaper, "trace": trace}
    request = options.request(experiment, "testbed rehearse", **own)
    announce = partial(print, flush=True)
    work = rehearse(request, plan_run(request, tell), hold=keep, progress=progress, announce=announce)
    sys.exit(wait(work, "everything was removed"))
