"""The options that all verbs have which run an experiment, once for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from lab.app.request import RunRequest


@dataclass(frozen=True)
class ExperimentOptions:
    """Values of the options, a field each; see `takes_experiment_options`."""

    overlay: Annotated[
        list[str] | None,
        typer.Option("--overlay", help="NAME[:option=value,…]. Repeat for more; 'all' for every overlay."),
    ] = None
    profile: Annotated[
        str, typer.Option(help="'quick' (minutes), or 'paper' (as many and as long samples as in 2016).")
    ] = "quick"
    bringups: Annotated[
        int | None,
        typer.Option(min=1, help="How often each overlay is brought up."),
    ] = None
    repetitions: Annotated[int | None, typer.Option(help="Samples per cell and bring-up.")] = None
    duration: Annotated[float | None, typer.Option(help="Seconds per sample.")] = None
    congestion: Annotated[str | None, typer.Option(help="TCP congestion control of the senders.")] = None
    cells: Annotated[
        list[str] | None, typer.Option(help="Only cells whose key contains this. Repeat for more.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Seed of the random order of cells.")] = None
    on_mode_change: Annotated[
        str,
        typer.Option(help="If an overlay's mode changes: 'mark' the sample, or 'relaunch' and repeat it."),
    ] = "mark"
    weaver: Annotated[str | None, typer.Option(help="Weave router to use instead of LAB_WEAVER.")] = None
    resume: Annotated[Path | None, typer.Option(help="Continue this run folder.")] = None
    results: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("results")
    skip_recording: Annotated[
        bool, typer.Option("--skip-recording", help="Do not record links and hosts for 'lab view'.")
    ] = False

    def request(self, experiment: str, verb: str, **more: Any) -> RunRequest:
        """Return the request for a run, with `more` fields of it from the verb's own options.

        Sets LAB_WEAVER where the user names a Weave router.
        """
        given = asdict(self) | more
        if weaver := given.pop("weaver"):
            os.environ["LAB_WEAVER"] = weaver
        given["bring_ups"] = given.pop("bringups")
        given["overlays"] = tuple(given.pop("overlay") or ())
        given["only"] = tuple(given.pop("cells") or ())
        given["on_fallback"] = given.pop("on_mode_change")
        given["record"] = not given.pop("skip_recording")
        return RunRequest(experiment, verb=verb, **given)


def takes_experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb, whose function takes `options: ExperimentOptions`, one option for every field of it."""
    own = list(signature(command, eval_str=True).parameters.values())
    place = next(number for number, one in enumerate(own) if one.annotation is ExperimentOptions)
    hints = get_type_hints(ExperimentOptions, include_extras=True)
    options = [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(ExperimentOptions)
    ]

    @wraps(command)
    def verb(**values: Any) -> None:
        given = ExperimentOptions(**{one.name: values.pop(one.name) for one in options})
        command(**{own[place].name: given}, **values)

    parameters = [*own[:place], *options, *own[place + 1 :]]
    verb.__signature__ = Signature(  # type: ignore[attr-defined]
        [one.replace(kind=Parameter.KEYWORD_ONLY) for one in parameters]
    )
    return verb
