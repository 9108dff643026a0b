"""lab doctor: a check of this machine, with remedies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import ExitCode, PluginError

if TYPE_CHECKING:
    from lab.doctor import Finding

SIGNS = {
    "ok": ("✓", "green"),
    "missing": ("✗", "red"),
    "optional": ("–", "yellow"),
    "unknown": ("?", "yellow"),
}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check what this machine can do for the lab, and say how to get what is missing.

    ✓ works. ✗ is missing, and no lab can be built without it. – is missing, and something else cannot
    be done. ? could not be checked. The exit status is 1 if there is a ✗, and 3 if there is none, but
    something that a lab needs could not be checked: run it as root.

    Example: sudo python -m lab doctor
    """
    from rich.console import Console
    from rich.text import Text

    from lab.doctor import examine

    findings = [*asyncio.run(examine()), *overlays()]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            words = f" {finding.name.ljust(width)}  {finding.found}"
            console.print(Text.assemble(SIGNS[finding.state], words), soft_wrap=True)
            if finding.remedy:
                console.print(Text(f"  {' ' * width}  → {finding.remedy}", "dim"), soft_wrap=True)
    raise typer.Exit(_status(findings))


def overlays() -> list[Finding]:
    """Ask every overlay if this machine can supply its programs, as `lab list overlays` does."""
    from overlays import registry

    return list(map(_overlay, registry.names()))


def _overlay(name: str) -> Finding:
    from lab.doctor import Finding
    from overlays import registry

    try:
        missing = registry.load(name).obtainable()
    except PluginError as error:
        return Finding(f"overlay {name}", "optional", str(error))
    if missing:
        return Finding(f"overlay {name}", "optional", missing.what, missing.remedy)
    return Finding(f"overlay {name}", "ok", "obtainable here")


def _status(findings: Sequence[Finding]) -> ExitCode:
    if any(finding.state == "missing" for finding in findings):
        return ExitCode.FAILED
    from lab.doctor import NEEDS_ROOT

    unknown = any(finding.found == NEEDS_ROOT for finding in findings)
    return ExitCode.CANNOT_TELL if unknown else ExitCode.DONE
